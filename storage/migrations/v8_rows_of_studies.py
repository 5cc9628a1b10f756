"""Version 8: rows carry the token of their study and the number of their trial, and sessions the seconds of their work.

Until then a study that another program had deleted could leave its rows to the next study of its id.
"""

import secrets

import sqlalchemy as sa
from alembic.operations import Operations

from storage.migrations.steps import add_column

_KEY = "mnist_search:token"
_schema = sa.table("mnist_search_schema", sa.column("database_token"))
_trials = sa.table("trials", *map(sa.column, ("trial_id", "study_id", "number", "state")))
_reports = sa.table("trial_intermediate_values", *map(sa.column, ("trial_id", "step", "intermediate_value")))
_attributes = sa.table("study_system_attributes", *map(sa.column, ("study_id", "key", "value_json")))
_epochs = sa.table("epoch_records", *map(sa.column, ("trial_id", "epoch", "eval_accuracy", "number", "study_token")))
_states = sa.table("training_states", *map(sa.column, ("trial_id", "epoch", "number", "study_token")))
_sessions = sa.table(
    "run_sessions", *map(sa.column, ("study_id", "started_at", "beat_at", "active_seconds", "study_token"))
)
_verifications = sa.table("verifications", *map(sa.column, ("study_id", "study_token")))
_OF_TRIALS, _OF_STUDIES = (_epochs, _states), (_sessions, _verifications)


def upgrade(op: Operations) -> None:
    """Adds the columns, drops what another study left over, and marks the rest."""
    connection = op.get_bind()
    add_columns(op)
    _drop_left_over(connection)
    for study_id in sorted(_studies(connection)):
        _mark(connection, study_id, _token(connection, study_id))
    active = sa.func.coalesce(_sessions.c.beat_at - _sessions.c.started_at, 0.0)
    connection.execute(sa.update(_sessions).values(active_seconds=active))


def add_columns(op: Operations) -> None:
    """What version 8 knows besides, empty."""
    add_column(op, "mnist_search_schema", sa.Column("database_token", sa.String(16), nullable=True))
    for table in (*_OF_TRIALS, *_OF_STUDIES):
        add_column(op, table.name, sa.Column("study_token", sa.String(64), nullable=True))
    for table in _OF_TRIALS:
        add_column(op, table.name, sa.Column("number", sa.Integer, nullable=True))
    add_column(op, "run_sessions", sa.Column("active_seconds", sa.Float(53), nullable=False, server_default="0"))


def _drop_left_over(connection: sa.Connection) -> None:
    """Drops epochs and trainings that cannot be of the trial that has their id.

    Each epoch was reported to Optuna in the transaction that wrote it, and a training goes when its trial ends.
    """
    is_step = (_reports.c.trial_id == _epochs.c.trial_id, _reports.c.step == _epochs.c.epoch)
    said = sa.select(_reports.c.step).where(*is_step).correlate(_epochs)
    same = said.where(_reports.c.intermediate_value == _epochs.c.eval_accuracy)
    is_other_epoch = ~same.exists() & (said.exists() | _trial_of(_epochs).where(_IS_OVER).exists())
    connection.execute(sa.delete(_epochs).where(~_trial_of(_epochs).exists() | is_other_epoch))
    is_other_training = ~_trial_of(_states).where(~_IS_OVER).exists()
    connection.execute(sa.delete(_states).where(is_other_training))


_IS_OVER = sa.cast(_trials.c.state, sa.String).in_(("COMPLETE", "PRUNED", "FAIL"))


def _trial_of(table: sa.TableClause) -> sa.Select[tuple[int]]:
    return sa.select(_trials.c.trial_id).where(_trials.c.trial_id == table.c.trial_id).correlate(table)


def _studies(connection: sa.Connection) -> set[int]:
    """The studies that have rows."""
    of_trials = [
        sa.select(_trials.c.study_id).where(_trials.c.trial_id.in_(sa.select(table.c.trial_id))) for table in _OF_TRIALS
    ]
    of_studies = [sa.select(table.c.study_id).where(table.c.study_id.is_not(None)) for table in _OF_STUDIES]
    return {study_id for query in (*of_trials, *of_studies) for study_id in connection.scalars(query.distinct())}


def _token(connection: sa.Connection, study_id: int) -> str:
    """The token of a study: one that was stopped half-way made, or a new one."""
    database = connection.scalar(sa.select(_schema.c.database_token))
    if database is None:
        database = secrets.token_hex(8)
        connection.execute(sa.update(_schema).values(database_token=database))
    is_kept = (_attributes.c.study_id == study_id, _attributes.c.key == _KEY)
    kept = connection.scalar(sa.select(_attributes.c.value_json).where(*is_kept))
    if kept is not None and kept.startswith(f'"{database}.{study_id}.'):
        return str(kept[1:-1])
    token = f"{database}.{study_id}.{secrets.token_hex(8)}"
    connection.execute(sa.delete(_attributes).where(*is_kept))
    connection.execute(sa.insert(_attributes).values(study_id=study_id, key=_KEY, value_json=f'"{token}"'))
    return token


def _mark(connection: sa.Connection, study_id: int, token: str) -> None:
    for table in _OF_STUDIES:
        connection.execute(sa.update(table).where(table.c.study_id == study_id).values(study_token=token))
    of_study = sa.select(_trials.c.trial_id).where(_trials.c.study_id == study_id)
    for table in _OF_TRIALS:
        number = sa.select(_trials.c.number).where(_trials.c.trial_id == table.c.trial_id).scalar_subquery()
        marked = sa.update(table).where(table.c.trial_id.in_(of_study))
        connection.execute(marked.values(study_token=token, number=number))
