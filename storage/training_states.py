"""Trainings between two epochs, from where they go on when they are interrupted. `TrialChanges` writes them."""

from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from storage.tables import TrainingStateRow


@dataclass(frozen=True)
class KeptState:
    """A training after so many epochs."""

    epoch: int
    content: bytes


def training_state_of(engine: Engine, trial_id: int) -> KeptState | None:
    """What is kept of a trial's training; None if it did not begin, or has ended."""
    with Session(engine) as session:
        row = session.get(TrainingStateRow, trial_id)
        return None if row is None else KeptState(row.epoch, row.state)
