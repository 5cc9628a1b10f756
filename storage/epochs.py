"""Epoch records of trials."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from storage.damage import damage_told, number, whole
from storage.study_tokens import is_of_trial, own_token
from storage.tables import EpochRow, trials

FIELDS = (
    "epoch", "train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "lr", "seconds", "core_seconds",
)  # fmt: skip


def epoch_values(record: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of one epoch, the trial it belongs to left out. `TrialChanges.epoch` writes them."""
    return {name: record[name] for name in FIELDS}


def epochs_of(engine: Engine, trial_id: int) -> list[dict[str, Any]]:
    """The epochs of a trial, in order."""
    query = select(EpochRow).where(EpochRow.trial_id == trial_id, is_of_trial(EpochRow)).order_by(EpochRow.epoch)
    with damage_told(f"an epoch of the trial in row {trial_id}"), Session(engine) as session:
        return [_values(row) for row in session.scalars(query)]


def _values(row: EpochRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in FIELDS}
    for name, value in values.items():
        if not (value is None and name == "core_seconds"):
            (whole if name == "epoch" else number)(value)
    return values


def core_seconds_by_trial(engine: Engine, study_id: int) -> dict[int, float | None]:
    """Processor seconds of the trials of a study that have epochs, by trial; None for one of which some has none.

    Version 2 did not measure them.
    """
    column = EpochRow.core_seconds
    query = select(EpochRow.trial_id, func.count(), func.count(column), func.sum(column)).group_by(EpochRow.trial_id)
    is_trial = (trials.c.trial_id == EpochRow.trial_id) & (trials.c.number == EpochRow.number)
    query = query.join(trials, is_trial).where(trials.c.study_id == study_id)
    with Session(engine) as session:
        token = own_token(session.connection(), study_id)  # compared once here: `is_of_trial` would look for each epoch
        found = session.execute(query.where(EpochRow.study_token == (token or ""))).all()
    return {trial_id: seconds if n_measured == n else None for trial_id, n, n_measured, seconds in found}
