"""Whether TPE that looks at a part of a long study finds as much as TPE that looks at all of it.

    python -m benchmarks.sampler_view [--workers 2] [--seeds 8] [--trials 600]

To be done in minutes it is done at a third of the scale: studies of 600 trials, of which TPE sees all, or 200 (best,
latest, and some of the others, in the shares of `search/study/samplers.py`). The space is the default one, gate
included; what a candidate comes to is a made-up function of its size and recipe, with the noise of a training. Writes
`benchmarks/results/sampler-view.jsonl` as results come (and goes on from there), then `sampler-view.md` beside it.
"""

import argparse
import math
import random
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from benchmarks._jobs import Job, run_jobs
from benchmarks._report import machine_line, write
from models.candidate import Candidate
from search.dispatch.gate import mark_budget
from search.measures.statistics import difference
from search.space.space import Space
from search.study import samplers

RESULTS = Path(__file__).parent / "results" / "sampler-view.jsonl"
MAX_PARAMS = 10_000
_SCALE = 1 / 3
_N_LATEST = 100
_NOISE = 0.06
"""Points: what one training differs from the next by luck."""


def true_error(candidate: Candidate) -> float:
    """A made-up error in points: least for large networks, and for a recipe in the middle of its ranges."""
    recipe = candidate.recipe
    size = 0.5 * (1 - candidate.arch.params / MAX_PARAMS) ** 2
    rate = 0.15 * math.log(recipe.lr / 0.1) ** 2
    turn = 0.3 * ((recipe.rotation_degrees - 8) / 8) ** 2
    drop = 0.3 * ((recipe.dropout - 0.03) / 0.05) ** 2
    smooth = 0.2 * (recipe.label_smoothing / 0.1)
    schedule = {"onecycle": 0.0, "cosine": 0.05}.get(recipe.schedule.kind, 0.15)
    return 0.4 + size + rate + turn + drop + smooth + schedule + 0.1 * (recipe.batch_size == 256)


def search(job: Job) -> dict[str, Any]:
    """The true error of the best candidate that a study found and of its latest ones, and what its draws took."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    samplers.MAX_SEEN = job["seen"] or job["trials"] + 1
    samplers._BEST_SEEN, samplers._LATEST_SEEN = round(100 * _SCALE), round(250 * _SCALE)
    space, rng = Space.of({}, MAX_PARAMS), random.Random(job["seed"])
    study = optuna.create_study(direction="maximize", sampler=samplers.make_sampler("tpe", job["seed"], 0))
    found: list[tuple[float, float]] = []
    seconds = 0.0
    for _ in range(job["trials"]):
        began = time.perf_counter()
        trial = study.ask()
        candidate = space.sample(trial, 8)
        seconds += time.perf_counter() - began
        if not mark_budget(trial, candidate, MAX_PARAMS):
            study.tell(trial, state=TrialState.PRUNED)
            continue
        error = true_error(candidate)
        seen = 100 - error + rng.gauss(0, _NOISE)
        study.tell(trial, seen)
        found.append((seen, error))
    latest = statistics.fmean(error for _, error in found[-_N_LATEST:])
    return {"best": max(found)[1], "latest": latest, "draw_ms": 1000 * seconds / job["trials"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--trials", type=int, default=600)
    options = parser.parse_args()
    views = (0, round(options.trials * _SCALE))
    jobs = [{"seed": s, "seen": seen, "trials": options.trials} for s in range(options.seeds) for seen in views]
    results = run_jobs(jobs, search, RESULTS, options.workers)
    of = {seen: [one for one in results if one["seen"] == seen] for seen in views}
    rows = [
        (
            "all" if seen == 0 else f"{seen:,}",
            *(_mean_text([one[key] for one in of[seen]]) for key in ("best", "latest")),
            f"{statistics.fmean(one['draw_ms'] for one in of[seen]):.0f}",
        )
        for seen in views
    ]
    command = f"`python -m benchmarks.sampler_view --seeds {options.seeds}`"
    text = (
        f"# TPE that looks at a part of a study\n\n{machine_line()}.\n{command}: {options.seeds} studies of "
        f"{options.trials} trials each way. True errors (made up), in points: the best\n"
        f"candidate's, and the latest {_N_LATEST} past the gate in the mean, each ± its deviation over studies.\n"
        "Seeing a part minus seeing all: "
        + ", ".join(f"{key} {_difference_text(of, views, key)}" for key in ("best", "latest"))
        + ".\n"
    )
    write(RESULTS.with_suffix(".md"), text, ("trials seen", "best", "latest", "ms a draw"), rows)


def _mean_text(values: list[float]) -> str:
    return f"{statistics.fmean(values):.3f} ± {statistics.stdev(values):.3f}"


def _difference_text(of: dict[int, list[Job]], views: tuple[int, int], key: str) -> str:
    every, part = ([one[key] for one in of[seen]] for seen in views)
    found = difference(part, every)
    assert found.interval is not None
    return f"{found.mean:+.3f} (Welch 95 %: {found.interval.low:+.3f} to {found.interval.high:+.3f})"


if __name__ == "__main__":
    main()
