"""What `run --deterministic` costs: slots that wait, and draws that know less.

    python -m benchmarks.deterministic [--workers 2] [--seeds 5] [--trials 120]

The real dispatcher, sampler, pruner and database; the trainings are made up, and so is their time: an epoch of each
candidate takes as long as its size and batches make it, times some luck. Accuracies are those of `sampler_view`. Writes
`benchmarks/results/deterministic.jsonl` as results come (and goes on from there), then `deterministic.md` beside it.
"""

import argparse
import heapq
import math
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._jobs import Job as Work
from benchmarks._jobs import run_jobs
from benchmarks._report import machine_line, write
from benchmarks.sampler_view import MAX_PARAMS, true_error
from models.candidate import Candidate
from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.listener import Listener
from search.measures.statistics import difference
from search.space.space import Space
from search.study.outcomes import PASSED_GATE
from search.study.settings import StudySettings
from search.study.study import candidate_of, create_study
from storage.sessions import StudySession
from storage.store import Store
from trainer.training.records import EpochRecord
from trainer.workers.messages import Answer, EpochDone, Finished, Job

RESULTS = Path(__file__).parent / "results" / "deterministic.jsonl"
EPOCHS = 8
WINDOWS = {2: (8,), 8: (8, 16), 16: (16, 32)}
"""The windows that are tried, by the number of slots."""
_NOISE = 0.0006
_LUCK = 0.2
"""Spread of the logarithm of an epoch's time: what else a machine does."""


class TimedSlots:
    """Slots whose epochs take made-up seconds, which pass while the dispatcher waits and not while it works."""

    n_workers = 1

    def __init__(self, n_slots: int, seed: int) -> None:
        self.n_slots = n_slots
        self.seconds = 0.0
        self._rng = random.Random(seed)
        self._jobs: dict[int, tuple[Candidate, float]] = {}
        self._next: list[tuple[float, int, int]] = []

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self._jobs)

    def submit(self, job: Job) -> None:
        candidate = Candidate.from_dict(job.candidate)
        self._jobs[job.number] = candidate, random.Random(job.seed).gauss(0, _NOISE)
        self._start_epoch(job.number, 1)

    def poll(self, timeout_seconds: float) -> list[Answer]:
        while timeout_seconds and self._next:  # with no time to wait the dispatcher goes on drawing
            self.seconds, number, epoch = heapq.heappop(self._next)
            if number in self._jobs:
                return self._end_epoch(number, epoch)
        return []

    def stop(self, number: int) -> None:
        del self._jobs[number]

    def close(self) -> None:
        self._jobs.clear()

    def _start_epoch(self, number: int, epoch: int) -> None:
        candidate, _ = self._jobs[number]
        seconds = (5 + candidate.arch.macs / 1e5) * (1 + 16 / candidate.recipe.batch_size)
        luck = math.exp(self._rng.gauss(0, _LUCK))
        heapq.heappush(self._next, (self.seconds + seconds * luck, number, epoch))

    def _end_epoch(self, number: int, epoch: int) -> list[Answer]:
        candidate, noise = self._jobs[number]
        accuracy = 1 - true_error(candidate) / 100 - 0.02 / epoch + noise
        done = EpochDone(number, EpochRecord(epoch, 0.1, accuracy, 0.1, accuracy, 0.1, 1.0, 1.0))
        if epoch < EPOCHS:
            self._start_epoch(number, epoch + 1)
            return [done]
        self.stop(number)
        return [done, Finished(number, b"weights")]


def search(work: Work) -> dict[str, Any]:
    """The made-up seconds of a study, the true error of its best candidate, and the epochs that were trained."""
    space = Space.of({}, MAX_PARAMS).to_dict()
    window = {"deterministic": True, "window": work["window"]} if work["window"] else {}
    settings = StudySettings("digits", epochs=EPOCHS, space=space, seed=work["seed"], **window)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/s.db")
        study, engine = create_study(store, "s", settings), TimedSlots(work["slots"], work["seed"])
        session = StudySession(store.engine, study.study_id)
        state = Dispatcher(study, engine, Limits(work["trials"]), session, Listener()).run()
        assert state.best is not None
        best = true_error(candidate_of(state.best))
        n_epochs = sum(len(trial.intermediate_values) for trial in study.trials(*PASSED_GATE))
        session.end()
        store.close()
    return {"made_up_seconds": engine.seconds, "best": best, "epochs": n_epochs}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=120)
    options = parser.parse_args()
    works = [
        {"seed": seed, "slots": slots, "window": window, "trials": options.trials}
        for seed in range(options.seeds)
        for slots, windows in WINDOWS.items()
        for window in (0, *windows)
    ]
    results = run_jobs(works, search, RESULTS, options.workers)
    rows = [_row(results, slots, window) for slots, windows in WINDOWS.items() for window in windows]
    text = (
        f"# What a deterministic study costs\n\n{machine_line()}.\n`python -m benchmarks.deterministic --seeds "
        f"{options.seeds} --trials {options.trials}`: that many studies each way.\n"
        "Time and accuracies are made up; dispatcher, sampler, pruner and database are real. *Time* is a study's\n"
        "divided by that of the one of the same seed without `--deterministic`: median (least to most). *Best* is\n"
        "the true error of the best candidate in points, ± its deviation over studies; and how much worse it is\n"
        "with `--deterministic`, with the 95 % interval (Welch).\n"
    )
    columns = ("slots", "window", "time", "best without", "best with", "difference")
    write(RESULTS.with_suffix(".md"), text, columns, rows)


def _row(results: list[Work], slots: int, window: int) -> tuple[str, ...]:
    without, with_it = (
        sorted((one for one in results if (one["slots"], one["window"]) == way), key=lambda one: one["seed"])
        for way in ((slots, 0), (slots, window))
    )
    pairs = zip(without, with_it, strict=True)
    ratios = [one["made_up_seconds"] / other["made_up_seconds"] for other, one in pairs]
    best = [[one["best"] for one in some] for some in (without, with_it)]
    found = difference(best[1], best[0])
    assert found.interval is not None
    return (
        str(slots),
        str(window),
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        *(f"{statistics.fmean(some):.3f} ± {statistics.stdev(some):.3f}" for some in best),
        f"{found.mean:+.3f} ({found.interval.low:+.3f} to {found.interval.high:+.3f})",
    )


if __name__ == "__main__":
    main()
