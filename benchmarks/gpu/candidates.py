"""200 candidates through a real worker process with its slots, without a study: 8 epochs with pruning, 15 without.

And `verify`'s ten seeds of one network. What needs optuna is in `whole_search.py`.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from random import Random
from statistics import median

import torch

from benchmarks.gpu.chip import PRESET
from benchmarks.gpu.setting import Row, Setting
from models.candidate import Candidate
from models.recipe import Recipe
from models.schedules import OneCycle
from models.template import Template
from search.engines.local import LocalEngine
from trainer.workers.messages import Broken, Diverged, EpochDone, Finished, Job, Ready


def candidates(setting: Setting) -> list[Row]:
    """Ten seeds of one network, and candidates with pruning."""
    n, short, long, seeds = (4, 2, 3, 3) if setting.is_trial else (200, 8, 15, 10)
    with _engine(setting) as engine:
        ten = _run(engine, [_of_verify(long)] * seeds)
        pruned = _run(engine, drawn(n, short), prunes=True)
    return [
        _row(f"{seeds} seeds of one network, {long} epochs", ten, 30, setting),
        _row(f"{n} candidates of {short} epochs, pruned", pruned, 300, setting),
    ]


def to_the_end(setting: Setting) -> list[Row]:
    """Candidates without pruning, as far as there is time: what was done by then is counted."""
    n, epochs = (4, 3) if setting.is_trial else (200, 15)
    with _engine(setting) as engine:
        outcome = _run(engine, drawn(n, epochs), seconds=setting.seconds_left)
    row = _row(f"{n} candidates of {epochs} epochs", outcome, 600, setting)
    return [row if outcome.n_left == 0 else replace(row, is_met=None, measured=f"not all: {row.measured}")]


@contextmanager
def _engine(setting: Setting) -> Iterator[LocalEngine]:
    """Ready: starting a worker is no part of what is timed here; the whole search's row has it."""
    slots = setting.n_slots if setting.n_slots > 1 or not setting.is_trial else 2
    with closing(LocalEngine(setting.data, [_place(setting.device)], torch.float32, slots)) as engine:
        while not any(isinstance(answer, Ready) for answer in engine.poll(1)):
            pass
        yield engine


def drawn(n: int, epochs: int) -> list[Candidate]:
    """n candidates under 10,000 parameters of the kind a search draws, always the same."""
    random, found = Random(0), list[Candidate]()
    while len(found) < n:
        stem, body = (tuple(random.randint(4, 24) for _ in range(random.randint(1, 3))) for _ in range(2))
        arch = Template(stem=stem, transition=random.randint(4, 16), body=body).arch()
        recipe = Recipe(
            epochs=epochs,
            lr=10 ** random.uniform(-2, -0.5),
            dropout=random.choice((0.0, random.uniform(0.0, 0.15))),
            rotation_degrees=random.uniform(0, 15),
            schedule=OneCycle(),
            ema_decay=0.998,
        )
        if arch.params < 10_000:
            found.append(Candidate(arch, recipe))
    return found


def floor_of(n_epochs: int, setting: Setting) -> str:
    """What so many epochs would take at best, were all networks a-step5."""
    if setting.step_floor is None:
        return ""
    n_steps = n_epochs * len(setting.data.train) / PRESET.candidate.recipe.batch_size
    return f"{n_steps * setting.step_floor:.1f} s, by steps of {PRESET.name}"


class _Outcome:
    """What a run of the engine came to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.n_epochs = self.n_finished = self.n_pruned = self.n_diverged = self.n_left = 0
        self.best = 0.0
        self.faults: list[str] = []


def _run(engine: LocalEngine, wanted: Sequence[Candidate], prunes: bool = False, seconds: float = math.inf) -> _Outcome:
    """Trains all of them, or as many as there is time for.

    With `prunes`, stops what is below the median of its epoch once ten have come so far.
    """
    start, outcome = time.perf_counter(), _Outcome()
    waiting, running = list(enumerate(wanted)), set[int]()
    seen: dict[int, list[float]] = {}
    while (waiting or running) and time.perf_counter() - start < seconds:
        while waiting and engine.n_free > 0:
            number, candidate = waiting.pop(0)
            running.add(number)
            engine.submit(Job(number, candidate.to_dict(), seed=number))
        for answer in engine.poll(0.25):
            if isinstance(answer, (Ready,)) or getattr(answer, "number", None) not in running:
                continue
            match answer:
                case EpochDone(number, record):
                    outcome.n_epochs += 1
                    outcome.best = max(outcome.best, record.eval_accuracy)
                    others = seen.setdefault(record.epoch, [])
                    is_weak = len(others) >= 10 and record.eval_accuracy < median(others)
                    others.append(record.eval_accuracy)
                    if prunes and is_weak and 1 < record.epoch < wanted[number].recipe.epochs:
                        engine.stop(number)
                        running.remove(number)
                        outcome.n_pruned += 1
                case Finished(number):
                    running.remove(number)
                    outcome.n_finished += 1
                case Diverged(number):
                    running.remove(number)
                    outcome.n_diverged += 1
                case Broken(number, reason):
                    running.remove(number)
                    outcome.faults.append(reason)
    outcome.n_left = len(waiting) + len(running)
    outcome.seconds = time.perf_counter() - start
    return outcome


def _row(what: str, outcome: _Outcome, limit: float, setting: Setting) -> Row:
    text = f"{outcome.seconds:.1f} s: {outcome.n_finished} trained, {outcome.n_pruned} pruned, "
    text += f"{outcome.n_epochs:,} epochs, best {100 * outcome.best:.2f} %"
    if outcome.n_diverged:
        text += f", {outcome.n_diverged} diverged"
    if outcome.faults:
        text += f", {len(outcome.faults)} failed ({outcome.faults[0]})"
    is_met = outcome.seconds < limit and not outcome.faults
    return Row(what, text, f"under {limit:.0f} s", is_met, floor_of(outcome.n_epochs, setting))


def _of_verify(epochs: int) -> Candidate:
    return replace(PRESET.candidate, recipe=replace(PRESET.candidate.recipe, epochs=epochs, rotation_degrees=7.0))


def _place(device: str) -> str:
    return f"{device}:0" if device == "cuda" else device
