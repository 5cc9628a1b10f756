"""Epoch records of trials."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from storage.tables import EpochRow

_FIELDS = ("epoch", "train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "lr", "seconds")


def add_epoch(engine: Engine, trial_id: int, record: Mapping[str, Any]) -> None:
    """Keeps one epoch; a second record of the same epoch takes the place of the first."""
    with Session(engine) as session, session.begin():
        session.merge(EpochRow(trial_id=trial_id, **{name: record[name] for name in _FIELDS}))


def epochs_of(engine: Engine, trial_id: int) -> list[dict[str, Any]]:
    """The epochs of a trial, in order."""
    query = select(EpochRow).where(EpochRow.trial_id == trial_id).order_by(EpochRow.epoch)
    with Session(engine) as session:
        return [{name: getattr(row, name) for name in _FIELDS} for row in session.scalars(query)]
