"""Epoch records of trials."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from storage.damage import damage_told, number, whole
from storage.study_tokens import is_of_trial
from storage.tables import EpochRow, trials

_FIELDS = (
    "epoch", "train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "lr", "seconds", "core_seconds",
)  # fmt: skip


def epoch_values(record: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of one epoch, the trial it belongs to left out. `TrialChanges.epoch` writes them."""
    return {name: record[name] for name in _FIELDS}


def epochs_of(engine: Engine, trial_id: int) -> list[dict[str, Any]]:
    """The epochs of a trial, in order."""
    query = select(EpochRow).where(EpochRow.trial_id == trial_id, is_of_trial(EpochRow)).order_by(EpochRow.epoch)
    with damage_told(f"an epoch of the trial in row {trial_id}"), Session(engine) as session:
        return [_values(row) for row in session.scalars(query)]


def _values(row: EpochRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _FIELDS}
    for name, value in values.items():
        if not (value is None and name == "core_seconds"):
            (whole if name == "epoch" else number)(value)
    return values


def core_seconds_of(engine: Engine, study_id: int) -> float | None:
    """Processor seconds of all epochs of a study; None if some were not measured, as those of version 2 were not."""
    n_epochs, n_measured, seconds = _over_study(engine, study_id)
    return seconds if n_measured == n_epochs else None


def n_epochs_of(engine: Engine, study_id: int) -> int:
    """Epochs that were trained in a study, whatever became of their trials."""
    return _over_study(engine, study_id)[0]


def _over_study(engine: Engine, study_id: int) -> tuple[int, int, float]:
    """The epochs of a study, those with processor seconds, and the sum of these."""
    column = EpochRow.core_seconds
    query = select(func.count(), func.count(column), func.sum(column)).select_from(EpochRow)
    query = query.join(trials, trials.c.trial_id == EpochRow.trial_id)
    query = query.where(trials.c.study_id == study_id, is_of_trial(EpochRow))
    with Session(engine) as session:
        n_epochs, n_measured, seconds = session.execute(query).one()
    return n_epochs, n_measured, seconds or 0.0
