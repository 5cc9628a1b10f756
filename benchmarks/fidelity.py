"""Whether a short training ranks candidates as a long one does: random candidates of the default ranges, twice each.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.fidelity [--workers 2] [--candidates 20] [--max-macs 1000000]

Each candidate that passes the gate is trained for 6 and for 15 epochs, its schedule shortened to fit, each time with a
seed of its own, on the search's split. Nothing is pruned and nothing was selected by accuracy, so that the ranks are
not those of survivors; candidates of many MACs are left out, for time. The rank correlation (Spearman's, Kendall's) of
the short training with the long one says what the short one is worth, and that of its accuracy after each epoch says
from when on the pruner can judge. Writes `benchmarks/results/fidelity.jsonl` as results come (and goes on from there),
then `benchmarks/results/fidelity.md`.
"""

import argparse
from pathlib import Path
from typing import Any

import optuna
from scipy.stats import kendalltau, spearmanr

from benchmarks._jobs import Job, run_jobs
from benchmarks._report import machine_line, write
from benchmarks._trainings import measure
from models.candidate import Candidate
from search.space import Space

RESULTS = Path(__file__).parent / "results" / "fidelity.jsonl"
SHORT, LONG = 6, 15
MAX_PARAMS = 10_000
TOP = 5


def candidates(n: int, max_macs: int) -> list[Candidate]:
    """The first `n` random candidates that pass the gate and are quick to train."""
    space = Space.of({}, MAX_PARAMS)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found: list[Candidate] = []
    while len(found) < n:
        candidate = space.sample(study.ask(), LONG)
        if candidate.arch.params < MAX_PARAMS and candidate.arch.macs <= max_macs:
            found.append(candidate)
    return found


def jobs_of(drawn: list[Candidate]) -> list[Job]:
    """The trainings, a candidate's together: as many candidates as are done can be compared."""
    return [
        {"number": number, "epochs": epochs, "params": one.arch.params, "candidate": one.with_epochs(epochs).to_dict()}
        for number, one in enumerate(drawn)
        for epochs in (SHORT, LONG)
    ]


def train(job: Job) -> dict[str, Any]:
    """One training; no two of a candidate have the same seed."""
    return measure(Candidate.from_dict(job["candidate"]), 1000 * job["epochs"] + job["number"])


def rows(results: list[Job]) -> list[list[str]]:
    """How each early view of a candidate ranks it, beside the long training."""
    short, long = _by_number(results, SHORT), _by_number(results, LONG)
    whole = sorted(short.keys() & long.keys())
    views = [(f"epoch {i + 1} of {SHORT}", [short[n]["accuracies"][i] for n in whole]) for i in range(SHORT)]
    views.append((f"sustained over {SHORT} epochs", [short[n]["sustained_accuracy"] for n in whole]))
    return [_row(name, view, [long[n]["sustained_accuracy"] for n in whole]) for name, view in views]


def _by_number(results: list[Job], epochs: int) -> dict[int, Job]:
    return {r["number"]: r for r in results if r["epochs"] == epochs}


def _row(name: str, view: list[float], long: list[float]) -> list[str]:
    best = sorted(range(len(long)), key=lambda i: -long[i])
    median = sorted(view)[len(view) // 2]
    upper = best[: (len(best) + 1) // 2]
    return [
        name,
        f"{spearmanr(view, long).statistic:.2f}",
        f"{kendalltau(view, long).statistic:.2f}",
        f"{spearmanr([view[i] for i in upper], [long[i] for i in upper]).statistic:.2f}",
        f"{sum(view[i] < median for i in best[:TOP])} of {TOP}",
    ]


COLUMNS = ("view", "Spearman", "Kendall", "Spearman, upper half", "of the best, below the median")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--max-macs", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    results = run_jobs(jobs_of(candidates(options.candidates, options.max_macs)), train, RESULTS, options.workers)
    long = sorted(r["sustained_accuracy"] for r in results if r["epochs"] == LONG)
    text = (
        "# Does a short training rank candidates as a long one does?\n\n"
        f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.fidelity`, {machine_line()}.\n"
        f"{len(long)} random candidates of the default ranges, of fewer than {MAX_PARAMS:,} parameters and at most "
        f"{options.max_macs:,} MACs, trained\nfor {SHORT} and for {LONG} epochs, each time with a seed of its own, on "
        "50,000 training images and judged by the other 10,000.\n"
        f"Sustained after {LONG} epochs: {100 * long[0]:.2f} to {100 * long[-1]:.2f} %. Rank correlations are with the "
        f"{LONG} epochs; *upper half* keeps the\nbetter half by these; the last column counts those of the {TOP} best "
        "that the view puts below its median, where the\nmedian pruner would stop them.\n"
    )
    write(RESULTS.with_suffix(".md"), text, COLUMNS, rows(results))


if __name__ == "__main__":
    main()
