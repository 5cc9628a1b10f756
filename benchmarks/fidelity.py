"""Whether a short training ranks candidates as a long one does: the trained candidates of a study, trained longer.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.fidelity --storage URL --study NAME [--epochs 15] [--candidates 20]

Each candidate is trained again for `--epochs` epochs, its schedule stretched, with another seed, on the same split. The
rank correlation (Spearman's, Kendall's) of the long result with the short one of the study says what the short one is
worth, and the correlation with the study's accuracy after each epoch says from when on the pruner can judge. Writes
`benchmarks/results/fidelity.jsonl` as results come (and goes on from there), then `benchmarks/results/fidelity.md`.
"""

import argparse
from pathlib import Path
from typing import Any

from scipy.stats import kendalltau, spearmanr

from benchmarks._jobs import Job, run_jobs
from benchmarks._report import machine_line, write
from benchmarks._trainings import measure
from models.candidate import Candidate
from search.outcomes import Outcome
from search.study import SearchStudy, open_study
from storage.epochs import epochs_of
from storage.store import Store

RESULTS = Path(__file__).parent / "results" / "fidelity.jsonl"
SEED = 1_000_003
"""Of the long trainings; no study's trainings have it."""


def jobs_of(study: SearchStudy, epochs: int, n_candidates: int) -> list[Job]:
    """A long training for each of the first trained trials, and what the study saw of it."""
    return [
        {
            "trial": trial.number,
            "params": trial.user_attrs["params"],
            "epochs": epochs,
            "candidate": trial.user_attrs["candidate"],
            "short_accuracies": [e["eval_accuracy"] for e in epochs_of(study.store.engine, trial._trial_id)],
            "short_sustained": trial.value,
        }
        for trial in study.trials(Outcome.TRAINED)[:n_candidates]
    ]


def train(job: Job) -> dict[str, Any]:
    """The long training of a trial's candidate."""
    return measure(Candidate.from_dict(job["candidate"]).with_epochs(job["epochs"]), SEED)


def rows(results: list[Job], top: int) -> list[list[str]]:
    """How each early view of a candidate ranks it, beside the long training."""
    curves = [r["short_accuracies"] for r in results]
    views = [(f"epoch {i + 1}", [curve[i] for curve in curves]) for i in range(len(curves[0]))]
    views.append(("sustained (the objective)", [r["short_sustained"] for r in results]))
    return [_row(name, view, [r["sustained_accuracy"] for r in results], top) for name, view in views]


def _row(name: str, view: list[float], long: list[float], top: int) -> list[str]:
    best = sorted(range(len(long)), key=lambda i: -long[i])[:top]
    median = sorted(view)[len(view) // 2]
    n_lost = sum(view[i] < median for i in best)
    return [
        name,
        f"{spearmanr(view, long).statistic:.2f}",
        f"{kendalltau(view, long).statistic:.2f}",
        f"{spearmanr([view[i] for i in _upper(long)], [long[i] for i in _upper(long)]).statistic:.2f}",
        f"{n_lost} of {top}",
    ]


def _upper(long: list[float]) -> list[int]:
    return sorted(range(len(long)), key=lambda i: -long[i])[: (len(long) + 1) // 2]


COLUMNS = ("the study's view", "Spearman", "Kendall", "Spearman, upper half", "of the best, below the median")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", required=True)
    parser.add_argument("--study", required=True)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    study = open_study(Store(options.storage, must_exist=True), options.study)
    jobs = jobs_of(study, options.epochs, options.candidates)
    results = run_jobs(jobs, train, RESULTS, options.workers)
    long = [r["sustained_accuracy"] for r in results]
    sustained = [r["short_sustained"] for r in results]
    n_short = study.settings.epochs
    text = (
        "# Does a short training rank candidates as a long one does?\n\n"
        f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.fidelity --study {options.study} --storage ...`, "
        f"{machine_line()}.\n"
        f"{len(results)} candidates that a study (sampler {study.settings.sampler}, pruner {study.settings.pruner})\n"
        f"had trained for {n_short} epochs, "
        f"trained again for {options.epochs} epochs with another seed, on the same 50,000 images and judged by "
        "the same 10,000.\n"
        f"Sustained accuracy: {100 * min(sustained):.2f} to {100 * max(sustained):.2f} % after {n_short} epochs, "
        f"{100 * min(long):.2f} to {100 * max(long):.2f} % after {options.epochs};\n"
        f"the long training gains {100 * (sum(long) - sum(sustained)) / len(long):.3f} points on average. Rank "
        "correlations are with the long\ntraining; *upper half* keeps the better half by the long training; the last "
        "column counts those of its five best\nthat the view puts below the median of the view.\n"
    )
    write(RESULTS.with_suffix(".md"), text, COLUMNS, rows(results, 5))


if __name__ == "__main__":
    main()
