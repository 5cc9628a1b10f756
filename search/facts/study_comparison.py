"""Studies side by side: what one sampler found, and at what cost, beside another."""

from collections.abc import Sequence
from typing import Any

from search.facts.study_facts import study_facts
from search.study.outcomes import PASSED_GATE, Outcome, outcome_of
from search.study.study import SearchStudy

_MUST_AGREE = ("dataset", "split", "max_params", "find", "target", "sustain", "epochs")
_SHOWN = (
    *("study", "sampler", "pruner", "n_past_gate", "trained", "pruned", "rejected"),
    *("seconds", "core_seconds", "seconds_to_target", "core_seconds_to_target", "epochs_trained", "epochs_saved"),
)


def are_comparable(a: SearchStudy, b: SearchStudy) -> bool:
    """Whether two studies asked the same question: same images, budget, target and length of training."""
    return all(getattr(a.settings, key) == getattr(b.settings, key) for key in _MUST_AGREE)


def compare_studies(studies: Sequence[SearchStudy]) -> list[dict[str, Any]]:
    """A row for each study, in the order given.

    `best_after` is the best sustained accuracy among the first `n_compared` candidates past the gate, as many as the
    shortest of the studies has: one that went on for longer has had more draws. `comparable` says whether the study
    asked what the first one did.
    """
    n_compared = min(len(study.trials(*PASSED_GATE)) for study in studies)
    return [_row(study, n_compared) | {"comparable": are_comparable(study, studies[0])} for study in studies]


def best_so_far(study: SearchStudy) -> list[float | None]:
    """The best sustained accuracy after each candidate past the gate; None before the first was trained."""
    best, curve = None, list[float | None]()
    for trial in study.trials(*PASSED_GATE):
        if outcome_of(trial) is Outcome.TRAINED:
            best = max(best or 0.0, trial.value or 0.0)
        curve.append(best)
    return curve


def _row(study: SearchStudy, n_compared: int) -> dict[str, Any]:
    facts = study_facts(study)
    best, smallest = facts["best"], facts["smallest"]
    curve = best_so_far(study)[:n_compared]
    return {key: facts[key] for key in _SHOWN} | {
        "sustained_accuracy": best["sustained_accuracy"] if best else None,
        "params": best["params"] if best else None,
        "smallest_params": smallest["params"] if smallest else None,
        "n_compared": n_compared,
        "best_after": curve[-1] if curve else None,
    }
