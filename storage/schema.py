"""Creates our tables and checks that this program understands the ones it finds."""

import re
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateColumn

from storage.errors import StorageError
from storage.tables import OWN_TABLES, Base, SchemaVersion

VERSION = 3
"""1: epoch_records, run_sessions. 2: training_runs beside them. 3: verifications, their runs, core-seconds."""

_T = TypeVar("_T")
_MAX_TRIES = 50
_WAIT_SECONDS = 0.1
_MADE_BY_RIVAL = re.compile("already exists|duplicate column", re.IGNORECASE)


def despite_rivals(make: Callable[[], _T]) -> _T:
    """What `make` returns, tried again while other processes make the same tables in a new database."""
    for _ in range(_MAX_TRIES - 1):
        try:
            return make()
        except DatabaseError as error:
            if not (isinstance(error, IntegrityError) or _MADE_BY_RIVAL.search(str(error))):
                raise
            time.sleep(_WAIT_SECONDS)
    return make()


def ensure_schema(engine: Engine) -> None:
    """Makes our tables where they are missing, also those an older program did not know.

    Raises StorageError for tables of a newer program.
    """
    found = _stored_version(engine)
    if found is None or found < VERSION:
        Base.metadata.create_all(engine, tables=OWN_TABLES)
        _add_missing_columns(engine)
        with Session(engine) as session, session.begin():
            session.merge(SchemaVersion(id=1, version=VERSION))
    elif found > VERSION:
        raise StorageError(
            f"the database is of schema version {found}, this program knows {VERSION}: update mnist-search"
        )


def _add_missing_columns(engine: Engine) -> None:
    """Brings tables of an older program up to date: what was added since may be null."""
    for table in OWN_TABLES:
        there = {column["name"] for column in inspect(engine).get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                definition = CreateColumn(column).compile(dialect=engine.dialect)
                with engine.begin() as connection:
                    connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {definition}"))


def _stored_version(engine: Engine) -> int | None:
    if not inspect(engine).has_table(SchemaVersion.__tablename__):
        return None
    with Session(engine) as session:
        return session.scalar(select(SchemaVersion.version))
