"""Whether a short training ranks candidates as a long one does: random candidates of the default ranges, twice each.

    MNIST_SEARCH_DATA=DIR python -m benchmarks.fidelity [--workers 2] [--candidates 20] [--max-macs 1000000]

Each candidate that passes the gate is trained for 6 and for 15 epochs, its schedule shortened to fit, each time with a
seed of its own, on the search's split. Nothing is pruned and nothing was selected by accuracy, so that the ranks are
not those of survivors; candidates of many MACs are left out, for time. The rank correlation (Spearman's, Kendall's) of
the short training with the long one says what the short one is worth; those of each training's accuracy after an epoch
say from when on a pruner can judge, and the median pruner is shown the trainings once more. Writes
`benchmarks/results/fidelity.jsonl` as results come (and goes on from there), then `benchmarks/results/fidelity.md`.
"""

import argparse
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import MedianPruner
from scipy.stats import kendalltau, spearmanr

from benchmarks._jobs import Job, run_jobs
from benchmarks._replay import ORDERS, Curve, replay
from benchmarks._report import machine_line, markdown_table
from benchmarks._trainings import measure
from models.candidate import Candidate
from search.space.space import Space
from search.study.samplers import STARTUP_TRIALS

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


def view_rows(short: dict[int, Job], long: dict[int, Job]) -> list[list[str]]:
    """How each early view of a candidate ranks it, beside the long training."""
    names = sorted(long)
    views = [(f"sustained over {SHORT}", [short[n]["sustained_accuracy"] for n in names])]
    for epochs, results in ((SHORT, short), (LONG, long)):
        for i in range(epochs):
            views.append((f"epoch {i + 1} of {epochs}", [results[n]["accuracies"][i] for n in names]))
    return [_row(name, view, [long[n]["sustained_accuracy"] for n in names]) for name, view in views]


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


VIEW_COLUMNS = ("view", "Spearman", "Kendall", "Spearman, upper half", "of the best, below the median")


def replay_rows(short: dict[int, Job], long: dict[int, Job]) -> list[list[str]]:
    """What the median pruner would have done to these trainings, for each number of epochs that it waits."""
    rows = []
    for epochs, results in ((SHORT, short), (LONG, long)):
        curves = [Curve(results[n]["accuracies"], long[n]["sustained_accuracy"]) for n in sorted(long)]
        for waits in range(epochs):
            done = replay(curves, MedianPruner(STARTUP_TRIALS, n_warmup_steps=waits + 1))
            rows.append(
                [f"{epochs}", f"{waits}", f"{done.saved:.0%}", f"{done.best_pruned:.0%}", f"{100 * done.lost:.3f}"]
            )
    return rows


REPLAY_COLUMNS = ("epochs", "the pruner waits for", "epochs saved", "best stopped", "points lost")


def page(results: list[Job], max_macs: int) -> str:
    """What was found, in Markdown."""
    short, long = (by_number(results, epochs) for epochs in (SHORT, LONG))
    whole = short.keys() & long.keys()
    short, long = ({n: found[n] for n in whole} for found in (short, long))
    ranked = sorted(whole, key=lambda n: -long[n]["sustained_accuracy"])
    chosen = max(whole, key=lambda n: short[n]["sustained_accuracy"])
    ends = [f"{100 * long[n]['sustained_accuracy']:.2f}" for n in (ranked[-1], ranked[0], chosen)]
    return (
        "# Does a short training rank candidates as a long one does?\n\n"
        f"`MNIST_SEARCH_DATA=DIR python -m benchmarks.fidelity`, {machine_line()}.\n"
        f"{len(whole)} random candidates of the default ranges, of fewer than {MAX_PARAMS:,} parameters and at most "
        f"{max_macs:,} MACs, trained\nfor {SHORT} and for {LONG} epochs, each time with a seed of its own, on "
        "50,000 training images and judged by the other 10,000.\n"
        f"Sustained after {LONG} epochs: {ends[0]} to {ends[1]} %; the one that {SHORT} epochs put first reached "
        f"{ends[2]} % and is number {ranked.index(chosen) + 1}.\n\n"
        f"Rank correlations are with the sustained accuracy of {LONG} epochs; *upper half* keeps the better half by "
        f"it; the last column\ncounts those of the {TOP} best that a view puts below its median.\n\n"
        f"{markdown_table(VIEW_COLUMNS, view_rows(short, long))}\n"
        f"The same trainings shown to the median pruner once more, in {ORDERS} random orders: the share of epochs that "
        f"it saved, how often\nit stopped the candidate that is best after {LONG} epochs, and by how much the best "
        "that it left is worse, in points. As in a\n"
        f"search, {STARTUP_TRIALS} candidates are trained to the end first.\n\n"
        f"{markdown_table(REPLAY_COLUMNS, replay_rows(short, long))}"
    )


def by_number(results: list[Job], epochs: int) -> dict[int, Job]:
    """The trainings of one length, by their candidate."""
    return {r["number"]: r for r in results if r["epochs"] == epochs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--max-macs", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    results = run_jobs(jobs_of(candidates(options.candidates, options.max_macs)), train, RESULTS, options.workers)
    text = page(results, options.max_macs)
    RESULTS.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
