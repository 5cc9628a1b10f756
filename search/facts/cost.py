"""What a study has cost, what it was spared, and how soon it came to its target."""

from typing import Any

from search.study import attributes
from search.study.history import n_epochs_trained, spent
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from search.verification.judged import judge, records_of


def cost_facts(study: SearchStudy) -> dict[str, Any]:
    """Epochs trained and saved, trainings avoided, seconds and core-seconds in all, to target, and to verified.

    Seconds are those for which a dispatcher or a verification worked. Core-seconds are processor time of trainings (of
    the host, where a GPU trains). Epochs saved are those that pruned trials did not come to, and
    trainings avoided those of candidates that the gate rejected. None is not there yet, or was not
    measured.
    """
    cost = spent(study)
    return {
        "seconds": cost.seconds,
        "core_seconds": cost.core_seconds,
        "epochs_trained": n_epochs_trained(study),
        "epochs_saved": _epochs_saved(study),
        "trainings_avoided": len(study.trials(Outcome.REJECTED)),
        **_to_target(study),
        **_to_verified(study),
    }


def _epochs_saved(study: SearchStudy) -> int:
    pruned = study.trials(Outcome.PRUNED)
    return sum(study.settings.epochs - len(trial.intermediate_values) for trial in pruned)


def _to_target(study: SearchStudy) -> dict[str, float | None]:
    reached = [t for t in study.trials(Outcome.TRAINED) if (t.value or 0.0) >= study.settings.target]
    timed = [t for t in reached if attributes.ACTIVE_SECONDS in t.user_attrs]
    first = min(timed, key=lambda t: float(t.user_attrs[attributes.ACTIVE_SECONDS]), default=None)
    attrs = first.user_attrs if first is not None else {}
    return {
        "seconds_to_target": attrs.get(attributes.ACTIVE_SECONDS),
        "core_seconds_to_target": attrs.get(attributes.ACTIVE_CORE_SECONDS),
    }


def _to_verified(study: SearchStudy) -> dict[str, float | None]:
    """The search until the verification that succeeded first began, and all verifications up to its end."""
    seconds = core_seconds = 0.0
    for one in records_of(study):
        seconds += one.seconds
        core_seconds += one.core_seconds
        judged = judge(study, one)
        if judged is not None and judged.summary["verified"]:
            before, core_before = one.study_seconds, one.study_core_seconds
            return {
                "seconds_to_verified": None if before is None else before + seconds,
                "core_seconds_to_verified": None if core_before is None else core_before + core_seconds,
            }
    return {"seconds_to_verified": None, "core_seconds_to_verified": None}
