"""How a trial ended, in the words of the product, beside Optuna's states."""

from enum import StrEnum

from optuna.trial import FrozenTrial

from search.study import attributes


class Outcome(StrEnum):
    """What became of a candidate. `run --trials` counts those of `PASSED_GATE`."""

    TRAINED = "trained"
    PRUNED = "pruned"
    REJECTED = "rejected"
    """By the gate: never trained."""
    DIVERGED = "diverged"
    FAILED = "failed"
    """By a fault that is not the candidate's, such as a worker that was killed; tried again in the next session."""
    INTERRUPTED = "interrupted"
    """Ended by hand, or with no candidate yet; by programs up to schema 6 also what was stopped half-way."""
    DUPLICATE = "duplicate"
    """Equal to a candidate that had already ended; not trained again."""


REPORTED = (Outcome.TRAINED, Outcome.PRUNED, Outcome.REJECTED, Outcome.DIVERGED, Outcome.FAILED)
"""The outcomes every summary shows; the other two are bookkeeping."""

PASSED_GATE = frozenset({Outcome.TRAINED, Outcome.PRUNED, Outcome.DIVERGED})


def outcome_of(trial: FrozenTrial) -> Outcome | None:
    """The outcome of an ended trial; None for one that runs, waits, or did not come from this program."""
    if not trial.state.is_finished() or attributes.OUTCOME not in trial.user_attrs:
        return None
    return Outcome(trial.user_attrs[attributes.OUTCOME])
