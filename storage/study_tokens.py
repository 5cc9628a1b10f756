"""Study tokens: which of our rows belong to a study.

A database gives the ids of deleted studies and trials to later ones. A program that deletes a study without our foreign
keys leaves our rows behind, and they would then describe another study. So a study has a token, a system attribute that
Optuna deletes with it. Each row of ours carries the token of its study, and the number of its trial. A row belongs to a
study only if id, token and number agree; any other row is left over.

Optuna copies attributes along with a study. A token therefore names the database and the study that it was made for: a
study with a token of another one gets its own when it is first written to.
"""

import secrets
from collections.abc import Iterable
from typing import Any, cast

from optuna.storages._rdb.models import StudyModel, StudySystemAttributeModel
from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, exists, insert, literal, select, update

from storage.errors import StudyLostError
from storage.tables import EpochRow, SchemaVersion, SessionRow, TrainingStateRow, VerificationRow, trials

DELETED = "somebody has deleted this study meanwhile"
_KEY = "mnist_search:token"
_STUDIES = cast(Table, StudyModel.__table__)
_ATTRIBUTES = cast(Table, StudySystemAttributeModel.__table__)


def is_of_study(row: type[SessionRow | VerificationRow]) -> ColumnElement[bool]:
    """Whether a row belongs to the study that has its id now."""
    kept = _ATTRIBUTES.alias()
    return exists().where(kept.c.study_id == row.study_id, *_is_token(kept, row.study_token)).correlate(row)


def has_token(study_id: int, token: str) -> ColumnElement[bool]:
    """Whether a study is still the one of this token."""
    kept = _ATTRIBUTES.alias()
    return exists().where(kept.c.study_id == study_id, *_is_token(kept, literal(token)))


def is_of_trial(row: type[EpochRow | TrainingStateRow]) -> ColumnElement[bool]:
    """Whether a row belongs to the trial that has its id now."""
    trial, kept = trials.alias(), _ATTRIBUTES.alias()
    is_trial = (trial.c.trial_id == row.trial_id, trial.c.number == row.number, kept.c.study_id == trial.c.study_id)
    return exists().where(*is_trial, *_is_token(kept, row.study_token)).correlate(row)


def _is_token(kept: Any, token: Any) -> tuple[ColumnElement[bool], ...]:
    return kept.c.key == _KEY, kept.c.value_json == literal('"') + token + literal('"')


def study_token(connection: Connection, study_id: int) -> str:
    """The token of a study that is about to be written to; a new one if it has none of its own.

    Raises StudyLostError if there is no such study.
    """
    return own_token(connection, study_id) or _new_token(connection, study_id)


def trial_marks(connection: Connection, trial_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The columns `study_token` and `number` of rows that are about to be written, by trial."""
    t = trials.c
    query = select(t.trial_id, t.study_id, t.number).where(t.trial_id.in_(sorted(trial_ids)))
    found = connection.execute(query).all()
    tokens = {study_id: study_token(connection, study_id) for study_id in {trial.study_id for trial in found}}
    return {trial.trial_id: {"study_token": tokens[trial.study_id], "number": trial.number} for trial in found}


def clear_left_over(engine: Engine) -> None:
    """Deletes the rows that belong to no study any more. Takes no lock where there are none."""
    with engine.connect() as connection:
        is_clear = all(
            connection.execute(select(literal(1)).select_from(row).where(left_over).limit(1)).first() is None
            for row, left_over in _LEFT_OVER
        )
    if not is_clear:
        with engine.begin() as connection:
            _clear(connection)


def _clear(connection: Connection) -> None:
    for row, left_over in _LEFT_OVER:
        connection.execute(delete(row).where(left_over))


_LEFT_OVER: tuple[tuple[Any, ColumnElement[bool]], ...] = (
    (EpochRow, ~is_of_trial(EpochRow)),
    (TrainingStateRow, ~is_of_trial(TrainingStateRow)),
    (SessionRow, ~is_of_study(SessionRow)),
    (VerificationRow, VerificationRow.study_id.is_not(None) & ~is_of_study(VerificationRow)),
)


def own_token(connection: Connection, study_id: int) -> str | None:
    """The token of a study; None if it has none, or only that of the study it was copied from."""
    database = select(SchemaVersion.database_token).scalar_subquery()
    query = select(_ATTRIBUTES.c.value_json, database).where(*_is_kept(study_id))
    for kept, name in connection.execute(query):
        if str(kept).startswith(f'"{name}.{study_id}.'):
            return str(kept)[1:-1]
    return None


def _new_token(connection: Connection, study_id: int) -> str:
    """Makes a token, and deletes what an earlier study of this id left over."""
    # An update that changes nothing: two programs that make the token at once wait for each other here.
    held = update(_STUDIES).where(_STUDIES.c.study_id == study_id).values(study_name=_STUDIES.c.study_name)
    if connection.execute(held).rowcount == 0:
        raise StudyLostError(DELETED)
    made = own_token(connection, study_id)
    if made is not None:
        return made
    database = connection.scalar(select(SchemaVersion.database_token))
    token = f"{database}.{study_id}.{secrets.token_hex(8)}"
    connection.execute(delete(_ATTRIBUTES).where(*_is_kept(study_id)))
    connection.execute(insert(_ATTRIBUTES).values(study_id=study_id, key=_KEY, value_json=f'"{token}"'))
    _clear(connection)
    return token


def _is_kept(study_id: int) -> tuple[ColumnElement[bool], ...]:
    return _ATTRIBUTES.c.study_id == study_id, _ATTRIBUTES.c.key == _KEY
