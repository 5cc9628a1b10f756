"""The history of a study: the epochs of its trials, and what it has cost.

Our rows hold all of it, and stay behind when Optuna copies a study, or optuna-dashboard renames it. What Optuna keeps
of a trial then serves: the accuracy of each epoch, which was reported to it, and the attributes of the trial.
"""

from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from search.study import attributes
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from storage.epochs import FIELDS, core_seconds_by_trial, epochs_of
from storage.sessions import active_seconds


@dataclass(frozen=True)
class Cost:
    """What work on a study has cost. `core_seconds` is None if some of it was not measured."""

    seconds: float
    core_seconds: float | None


def epochs_of_trial(study: SearchStudy, trial: FrozenTrial) -> list[dict[str, Any]]:
    """The epochs of a trial, in order, as `storage.epochs` gives them. Values that were not copied with it are None."""
    kept = {record["epoch"]: record for record in epochs_of(study.store.engine, attributes.trial_id(trial))}
    is_ours = attributes.CANDIDATE in trial.user_attrs  # a script may train a trial too, and report whatever it likes
    reported = {epoch: _reported(trial, epoch) for epoch in (trial.intermediate_values if is_ours else ())}
    return [epoch for _, epoch in sorted((reported | kept).items())]


def _reported(trial: FrozenTrial, epoch: int) -> dict[str, Any]:
    """What Optuna keeps of an epoch; of the last one the training accuracy too, by the gap."""
    accuracy = trial.intermediate_values[epoch]
    gap = trial.user_attrs.get(attributes.GAP) if epoch == trial.last_step else None
    train_accuracy = None if gap is None else accuracy + gap
    return dict.fromkeys(FIELDS) | {"epoch": epoch, "eval_accuracy": accuracy, "train_accuracy": train_accuracy}


def gap_of(epochs: list[dict[str, Any]]) -> float | None:
    """Training minus evaluation accuracy after the last epoch; None where it is not known."""
    if not epochs or epochs[-1]["train_accuracy"] is None:
        return None
    return float(epochs[-1]["train_accuracy"] - epochs[-1]["eval_accuracy"])


def n_epochs_trained(study: SearchStudy) -> int:
    """Epochs that were trained in a study, whatever became of their trials: each was reported to Optuna."""
    ours = [trial for trial in study.snapshot.all if attributes.CANDIDATE in trial.user_attrs]
    return sum(len(trial.intermediate_values) for trial in ours)


def spent(study: SearchStudy) -> Cost:
    """What a study has cost, up to the last sign of life of each dispatcher, and of a copy before it was copied."""
    by_trial = core_seconds_by_trial(study.store.engine, study.study_id)
    before = _carried(study, set(by_trial))
    measured = [before.core_seconds, *by_trial.values()]
    core_seconds = None if None in measured else sum(seconds or 0.0 for seconds in measured)
    return Cost(before.seconds + active_seconds(study.store.engine, study.study_id), core_seconds)


def carried(study: SearchStudy) -> Cost:
    """What a study had cost when it was copied; nothing for any other study."""
    return _carried(study, set(core_seconds_by_trial(study.store.engine, study.study_id)))


def _carried(study: SearchStudy, with_rows: set[int]) -> Cost:
    """The trained trials without rows were copied, and each says what the study had cost by then."""
    copied = [t.user_attrs for t in study.trials(Outcome.TRAINED) if attributes.trial_id(t) not in with_rows]
    seconds = max((float(attrs.get(attributes.ACTIVE_SECONDS, 0.0)) for attrs in copied), default=0.0)
    core = [attrs.get(attributes.ACTIVE_CORE_SECONDS) for attrs in copied]
    return Cost(seconds, None if None in core else max(filter(None, core), default=0.0))
