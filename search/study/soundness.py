"""What a trial must hold to be one of ours: the one place that looks at attributes which anybody may have written.

A database may come from somebody else, and every program that knows Optuna may write into it.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from models.errors import MnistSearchError
from models.kinds import (
    AMOUNT,
    COUNT,
    FLAG,
    MAPPING,
    NOTHING,
    NUMBER,
    SHARE,
    TEXT,
    WHOLE,
    Kind,
    list_of,
    misfits,
    one_of,
    shown,
)
from models.printable import one_line
from search.study import attributes
from search.study.outcomes import Outcome

_KINDS: Mapping[str, Kind] = {
    attributes.CANDIDATE: MAPPING,
    attributes.CANDIDATE_ID: TEXT,
    attributes.PARAMS: WHOLE,
    attributes.MACS: WHOLE,
    attributes.RECEPTIVE_FIELD: WHOLE,
    attributes.GIVEN: MAPPING,
    attributes.WARM_START: TEXT,
    attributes.RETRY_OF: WHOLE,
    attributes.TRAINED_ON: TEXT,
    attributes.TRAINING_SEED: WHOLE,
    attributes.WORKER: WHOLE,
    attributes.OUTCOME: one_of(tuple(Outcome)),
    attributes.REASON: TEXT,
    attributes.SECONDS: AMOUNT,
    attributes.EPOCHS: WHOLE,
    attributes.SECONDS_PER_EPOCH: AMOUNT,
    attributes.SUSTAINED_ACCURACY: SHARE,
    attributes.BEST_ACCURACY: SHARE,
    attributes.BEST_EPOCH: COUNT,
    attributes.GAP: NUMBER,
    attributes.HELD: FLAG,
    attributes.ACTIVE_SECONDS: AMOUNT,
    attributes.ACTIVE_CORE_SECONDS: AMOUNT | NOTHING,
    attributes.WEIGHTS: TEXT,
}
_OF_A_TRAINED = (attributes.PARAMS,)


class DamagedStudyError(MnistSearchError):
    """A study in which something stands that this program does not write."""


def require_sound(study: str, trials: Sequence[FrozenTrial]) -> Sequence[FrozenTrial]:
    """The trials as they are. Raises DamagedStudyError, which names the study and the first trial at fault."""
    for trial in trials:
        fault = fault_of(trial)
        if fault is not None:
            raise damaged(study, f"trial {trial.number}: {fault}")
    return trials


def damaged(study: str, fault: str) -> DamagedStudyError:
    """What is said of a study with a fault."""
    return DamagedStudyError(
        one_line(f"study {study!r} is damaged: {fault}; put back a copy of its database, or name another with --study")
    )


def sound_or_foreign(trial: FrozenTrial) -> FrozenTrial:
    """The trial as it is; one at fault without all that is ours, as another program's would be."""
    return trial if fault_of(trial) is None else without_ours(trial)


def without_ours(trial: FrozenTrial) -> FrozenTrial:
    """A trial as its maker's own: its attributes by our names, and numbers that are no accuracies, are left out."""
    foreign = copy.copy(trial)
    foreign.user_attrs = {key: value for key, value in trial.user_attrs.items() if key not in _KINDS}
    foreign.system_attrs = {key: value for key, value in trial.system_attrs.items() if _system_kind(key) is None}
    foreign.intermediate_values = {}
    return foreign


def fault_of(trial: FrozenTrial) -> str | None:
    """The first thing in a trial that this program does not write; None if there is none."""
    return next(_faults(trial), None)


def _faults(trial: FrozenTrial) -> Iterator[str]:
    for key, value in trial.system_attrs.items():
        kind = _system_kind(key)
        if kind is not None and not kind.holds(value):
            yield f"{key} is {shown(value)}: it must be {kind.text}"
    outcome = trial.user_attrs.get(attributes.OUTCOME)
    is_trained = outcome == Outcome.TRAINED
    yield from misfits(trial.user_attrs, _KINDS, _OF_A_TRAINED if is_trained else ())
    if outcome is None and not trial.user_attrs.keys() & _KINDS.keys():
        return  # another program's, whose values may be anything
    # Of one that ends while it is read the state is the old one, and all that is read behind it may be new.
    is_over = trial.state.is_finished()
    if is_trained and is_over and not (trial.state is TrialState.COMPLETE and _is_accuracy(trial.values)):
        yield f"it was trained, and is {trial.state.name} with the value {shown(trial.values)}"
    for epoch, accuracy in trial.intermediate_values.items():
        if not (COUNT.holds(epoch) and SHARE.holds(accuracy)):
            yield f"it reports {shown(accuracy)} for epoch {shown(epoch)}"
    asked = trial.system_attrs.get(attributes.FIXED_PARAMS)  # Optuna lets a value be queued that no range has
    for name, value in trial.params.items():
        if not _is_within(trial, name, value) and not (isinstance(asked, dict) and name in asked):
            yield f"{name} is {shown(value)}, which is not in its range"


def _system_kind(key: str) -> Kind | None:
    """What an attribute of Optuna's own must be, since its samplers use it as it stands; None of any other."""
    if key.startswith(f"{attributes.CONSTRAINTS}:"):
        return NUMBER
    return {attributes.CONSTRAINTS: list_of(NUMBER), attributes.FIXED_PARAMS: MAPPING}.get(key)


def _is_accuracy(values: Any) -> bool:
    return isinstance(values, list) and len(values) == 1 and SHARE.holds(values[0])


def _is_within(trial: FrozenTrial, name: str, value: Any) -> bool:
    distribution = trial.distributions[name]
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError, OverflowError):
        return False
