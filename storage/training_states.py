"""Trainings between two epochs, from where they go on when they are interrupted. `TrialChanges` writes them."""

from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from storage.study_tokens import is_of_trial
from storage.tables import TrainingStateRow


@dataclass(frozen=True)
class KeptState:
    """A training after so many epochs."""

    epoch: int
    content: bytes


def training_state_of(engine: Engine, trial_id: int) -> KeptState | None:
    """What is kept of a trial's training; None if it did not begin, or has ended."""
    query = select(TrainingStateRow).where(TrainingStateRow.trial_id == trial_id, is_of_trial(TrainingStateRow))
    with Session(engine) as session:
        row = session.scalar(query)
        return None if row is None else KeptState(row.epoch, row.state)
