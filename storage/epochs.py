"""Epoch records of trials."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from storage.tables import EpochRow, trials

_FIELDS = (
    "epoch", "train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "lr", "seconds", "core_seconds",
)  # fmt: skip


def add_epoch(engine: Engine, trial_id: int, record: Mapping[str, Any]) -> None:
    """Keeps one epoch; a second record of the same epoch takes the place of the first."""
    with Session(engine) as session, session.begin():
        session.merge(EpochRow(trial_id=trial_id, **{name: record[name] for name in _FIELDS}))


def epochs_of(engine: Engine, trial_id: int) -> list[dict[str, Any]]:
    """The epochs of a trial, in order."""
    query = select(EpochRow).where(EpochRow.trial_id == trial_id).order_by(EpochRow.epoch)
    with Session(engine) as session:
        return [{name: getattr(row, name) for name in _FIELDS} for row in session.scalars(query)]


def core_seconds_of(engine: Engine, study_id: int) -> float:
    """Processor seconds of all epochs of a study, as far as they were measured."""
    return _over_study(engine, study_id, func.coalesce(func.sum(EpochRow.core_seconds), 0.0))


def n_epochs_of(engine: Engine, study_id: int) -> int:
    """Epochs that were trained in a study, whatever became of their trials."""
    return int(_over_study(engine, study_id, func.count()))


def _over_study(engine: Engine, study_id: int, aggregate: Any) -> float:
    query = select(aggregate).select_from(EpochRow).join(trials, trials.c.trial_id == EpochRow.trial_id)
    with Session(engine) as session:
        return float(session.scalar(query.where(trials.c.study_id == study_id)) or 0.0)
