"""Creates our tables and checks that this program understands the ones it finds."""

import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine, inspect, select
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from storage.errors import StorageError
from storage.tables import OWN_TABLES, Base, SchemaVersion

VERSION = 2
"""1: epoch_records, run_sessions. 2: training_runs beside them."""

_T = TypeVar("_T")
_MAX_TRIES = 50
_WAIT_SECONDS = 0.1


def despite_rivals(make: Callable[[], _T]) -> _T:
    """What `make` returns, tried again while other processes make the same tables in a new database."""
    for _ in range(_MAX_TRIES - 1):
        try:
            return make()
        except DatabaseError as error:
            if not (isinstance(error, IntegrityError) or "already exists" in str(error)):
                raise
            time.sleep(_WAIT_SECONDS)
    return make()


def ensure_schema(engine: Engine) -> None:
    """Makes our tables where they are missing, also those an older program did not know.

    Raises StorageError for tables of a newer program.
    """
    found = _stored_version(engine)
    if found is None or found < VERSION:
        # Every version so far added tables and changed none; a version that changes one upgrades its rows here.
        Base.metadata.create_all(engine, tables=OWN_TABLES)  # type: ignore[arg-type]
        with Session(engine) as session, session.begin():
            session.merge(SchemaVersion(id=1, version=VERSION))
    elif found > VERSION:
        raise StorageError(
            f"the database is of schema version {found}, this program knows {VERSION}: update mnist-search"
        )


def _stored_version(engine: Engine) -> int | None:
    if not inspect(engine).has_table(SchemaVersion.__tablename__):
        return None
    with Session(engine) as session:
        return session.scalar(select(SchemaVersion.version))
