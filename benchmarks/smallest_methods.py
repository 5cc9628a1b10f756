"""How to look for the fewest parameters at a target: four methods at equal cost on real MNIST.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.smallest_methods [--seeds 3] [--minutes 5] [--keep DIR]

Two are commands of the program, with its median pruning: `run --find smallest`, whose budget tightens, and `run --find
accuracy`, whose smallest network at the target is looked at. Two are loops of this file over the same ranges with
Optuna's TPE as it is, without pruning, since a network that is less accurate than another may yet be the smaller one:
two objectives (most accurate, fewest parameters), and fewest parameters with the accuracy a constraint. Each study is a
worker of one thread. Small and quick as in `sampler_worth`: MNIST's first 12,000 training images, 2,000 of them held
out.

The answer of a study is the smallest network that its one training put at the target; five fresh seeds then tell what
that was worth. Writes `results/smallest-methods.jsonl` as results come (and goes on from there), then the page.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from statistics import mean
from typing import Any, Literal

import optuna
import torch
from optuna.exceptions import ExperimentalWarning

from benchmarks._jobs import Job, run_jobs
from benchmarks._report import machine_line, markdown_table, write
from benchmarks.sampler_worth import (
    EPOCHS,
    MAX_PARAMS,
    N_IMAGES,
    SUSTAIN,
    TARGET,
    start_study,
    storage_url,
    write_first_images,
)
from models.candidate import Candidate
from search.dispatch.gate import excess_params
from search.measures.objective import sustained_accuracy
from search.measures.statistics import difference, mean_interval
from search.space.space import Space
from search.study.outcomes import Outcome, outcome_of
from search.study.samplers import quiet_optuna
from search.study.study import candidate_of
from trainer.data.images import TrainingData, load_idx_dataset
from trainer.data.split import split_data
from trainer.hardware.device import prepare_device
from trainer.training.train import Training

RESULTS = Path(__file__).parent / "results" / "smallest-methods.jsonl"
MARGIN = 0.003
"""What clears the target here: one training's luck is larger on 2,000 images than on 10,000."""
FRESH_SEEDS = range(100, 105)
TIGHTENING, ACCURACY = "a budget that tightens", "accuracy, and the smallest at the target"
OBJECTIVES, CONSTRAINT = "two objectives", "fewest parameters, accuracy a constraint"

Direction = Literal["maximize", "minimize"]
Trained = tuple[Candidate, float]


def train(folder: Path, job: Job) -> dict[str, Any]:
    """One study, and fresh seeds of its answer."""
    trained = METHODS[job["method"]](job, folder)
    at_target = [(candidate, accuracy) for candidate, accuracy in trained if accuracy >= TARGET]
    if not at_target:
        return {"trained": len(trained), "params": None}
    candidate, accuracy = min(at_target, key=lambda one: one[0].arch.params)
    fresh = [_trained(candidate, seed, folder) for seed in FRESH_SEEDS]
    return {"trained": len(trained), "params": candidate.arch.params, "accuracy": accuracy, "fresh": fresh}


@cache
def _data(folder: Path) -> TrainingData:
    prepare_device("cpu")
    torch.set_num_threads(1)
    return split_data(load_idx_dataset("mnist", folder / "data"), "holdout")


def _trained(candidate: Candidate, seed: int, folder: Path) -> float:
    records = list(Training(candidate, _data(folder), seed, "cpu", torch.float32))
    return sustained_accuracy([record.eval_accuracy for record in records], SUSTAIN)


def _program(*find: str) -> Callable[[Job, Path], list[Trained]]:
    def run(job: Job, folder: Path) -> list[Trained]:
        name = f"{find[1]}-{job['seed']}"
        process = start_study(name, folder, job["seed"], job["minutes"], find)
        if process.wait() != 0:
            raise RuntimeError(f"{name} ended with {process.returncode}")
        trials = optuna.load_study(study_name=name, storage=storage_url(name, folder)).trials
        return [(candidate_of(t), t.value or 0.0) for t in trials if outcome_of(t) is Outcome.TRAINED]

    return run


def _loop(
    directions: list[Direction], tell: Callable[[optuna.Trial, int, float], list[float]]
) -> Callable[[Job, Path], list[Trained]]:
    """A search without pruning; `tell` states constraints and returns the values of a network by its parameters and
    accuracy. One over the budget is not trained: its accuracy is told as 0."""

    def run(job: Job, folder: Path) -> list[Trained]:
        quiet_optuna()
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            sampler = optuna.samplers.TPESampler(seed=job["seed"], multivariate=True, group=True)
        study = optuna.create_study(directions=directions, sampler=sampler)
        space, trained = Space.of({}, MAX_PARAMS), []
        deadline = time.monotonic() + 60 * job["minutes"]
        while time.monotonic() < deadline:
            trial = study.ask()
            candidate = space.sample(trial, EPOCHS)
            params, accuracy = candidate.arch.params, 0.0
            if excess_params(params, MAX_PARAMS) <= 0:
                accuracy = _trained(candidate, job["seed"] * 1000 + trial.number, folder)
                trained.append((candidate, accuracy))
            study.tell(trial, tell(trial, params, accuracy))
        return trained

    return run


def _both(trial: optuna.Trial, params: int, accuracy: float) -> list[float]:
    trial.set_constraint("params", excess_params(params, MAX_PARAMS))
    return [accuracy, params]


def _fewest(trial: optuna.Trial, params: int, accuracy: float) -> list[float]:
    trial.set_constraint("accuracy", TARGET - accuracy)
    return [params]


METHODS: dict[str, Callable[[Job, Path], list[Trained]]] = {
    TIGHTENING: _program("--find", "smallest", "--margin", str(MARGIN)),
    ACCURACY: _program("--find", "accuracy"),
    OBJECTIVES: _loop(["maximize", "minimize"], _both),
    CONSTRAINT: _loop(["minimize"], _fewest),
}


def rows(results: list[Job]) -> Iterator[list[str]]:
    """A line for each study, by method."""
    for method in METHODS:
        for found in sorted((r for r in results if r["method"] == method), key=lambda r: int(r["seed"])):
            yield [f"{method}, seed {found['seed']}", str(found["trained"]), *_answer(found)]


def _answer(found: Job) -> list[str]:
    if found["params"] is None:
        return ["none", "", ""]
    interval = mean_interval(found["fresh"])
    assert interval is not None
    fresh = f"{100 * mean(found['fresh']):.2f} ({100 * interval.low:.2f} to {100 * interval.high:.2f})"
    return [f"{found['params']:,}", f"{100 * found['accuracy']:.2f}", fresh]


def means(results: list[Job]) -> Iterator[list[str]]:
    """A line for each method: its studies together, paired by seed with those of the first."""
    of = {method: [r for r in results if r["method"] == method and r["params"] is not None] for method in METHODS}
    first = {r["seed"]: r["params"] for r in of[TIGHTENING]}
    for method, found in of.items():
        params = {r["seed"]: r["params"] for r in found}
        both = sorted(params.keys() & first.keys())
        gap = difference([params[s] for s in both], [first[s] for s in both], paired=True)
        inside = f"{gap.interval.low:+.0f} to {gap.interval.high:+.0f}" if gap.interval and method != TIGHTENING else ""
        fresh = [mean(r["fresh"]) for r in found]
        n_held = sum(value >= TARGET for value in fresh)
        yield [
            *(method, str(len(found)), f"{mean(params.values()):.0f}", f"{gap.mean:+.0f}" if inside else "", inside),
            *(f"{100 * mean(fresh):.2f}", f"{n_held} of {len(fresh)}"),
        ]


MEANS = (
    *("method", "n", "smallest at target, mean", "minus the first", "95 % interval"),
    *("fresh seeds, mean %", "whose fresh seeds average the target"),
)
COLUMNS = ("method", "trained to the end", "smallest at target", "its one training, %", "five fresh seeds, %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--keep", type=Path, default=Path("smallest-methods"))
    options = parser.parse_args()
    write_first_images(options.keep / "data")
    jobs = [
        {"method": method, "seed": seed, "minutes": options.minutes}
        for seed in range(options.seeds)
        for method in METHODS
    ]
    results = run_jobs(jobs, partial(train, options.keep), RESULTS, options.workers)
    text = (
        "# How to look for the fewest parameters\n\n"
        "`MNIST_SEARCH_DATA=DIR python -m benchmarks.smallest_methods "
        f"--seeds {options.seeds} --minutes {options.minutes:g}`, {machine_line()}, float32.\n"
        f"Fewer than {MAX_PARAMS:,} parameters, target {TARGET:.0%}, {EPOCHS} epochs of which the last {SUSTAIN} "
        f"count, today's ranges;\nMNIST's first {N_IMAGES:,} training images, a sixth of them held out to judge by. "
        f"The budget tightens at {100 * MARGIN:g} points above the target.\n"
    )
    page = RESULTS.with_suffix(".md")
    write(page, text, COLUMNS, list(rows(results)))
    with page.open("a") as file:
        file.write(f"\n{markdown_table(MEANS, list(means(results)))}")


if __name__ == "__main__":
    main()
