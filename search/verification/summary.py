"""What the seeds of a candidate came to, together."""

from collections.abc import Sequence
from typing import Any

from search.measures.objective import is_held, sustained_accuracy
from search.measures.statistics import Interval, deviation, mean_interval, rounded_mean, wilson_interval
from search.measures.verdict import Verdict, seeds_to_settle, verdict_of

_DIVERGED = 0.0
"""The sustained accuracy of a training whose loss was not finite: such a network classifies nothing."""


def summarise(
    runs: Sequence[dict[str, Any]], target: float | None = None, sustain: int | None = None
) -> dict[str, Any]:
    """Mean, deviation and minimum of the sustained accuracy over seeds, how many held, and the verdict.

    `runs` are trainings of one candidate as `storage.verifications` keeps them, at least one; target and sustain are
    theirs unless given. Accuracies are fractions of 1, intervals [low, high] of 95 %; `seeds_to_settle` counts those at
    hand too.
    """
    target = runs[-1]["target"] if target is None else target
    sustain = runs[-1]["sustain"] if sustain is None else sustain
    sustained = [sustained_of(run, sustain) for run in runs]
    n_held = sum(not run["diverged"] and is_held(accuracies_of(run), sustain, target) for run in runs)
    mean, verdict = rounded_mean(sustained), verdict_of(sustained, target)
    return {
        "n_seeds": len(runs),
        "epochs": max(run["epochs"] for run in runs),
        "target": target,
        "sustain": sustain,
        "sustained_accuracy": mean,
        "deviation": deviation(sustained),
        "mean_interval": _pair(mean_interval(sustained)),
        "minimum": min(sustained),
        "n_held": n_held,
        "held_share": n_held / len(runs),
        "held_interval": _pair(wilson_interval(n_held, len(runs))),
        "n_diverged": sum(bool(run["diverged"]) for run in runs),
        "best_accuracy": max(run["best_accuracy"] for run in runs),
        "verified": verdict is Verdict.VERIFIED,
        "verdict": str(verdict),
        "seeds_to_settle": seeds_to_settle(sustained, target),
        "margin": mean - target,
        "seconds": sum(run["seconds"] for run in runs),
        "core_seconds": sum(run["core_seconds"] for run in runs),
    }


def accuracies_of(run: dict[str, Any]) -> list[float]:
    """The evaluation accuracy after each epoch."""
    return [epoch["eval_accuracy"] for epoch in run["curves"]]


def sustained_of(run: dict[str, Any], sustain: int) -> float:
    """The sustained accuracy of one training, its last `sustain` epochs being what counts."""
    return _DIVERGED if run["diverged"] else sustained_accuracy(accuracies_of(run), sustain)


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
