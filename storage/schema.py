"""Makes our tables, brings those of an older program up to date, and refuses those of a newer one."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, Engine, inspect, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from storage.errors import StorageError
from storage.migrations import MIGRATIONS, VERSION
from storage.tables import OWN_TABLES, Base, SchemaVersion

_T = TypeVar("_T")
_MAX_TRIES = 50
_WAIT_SECONDS = 0.1
_MADE_BY_ANOTHER = re.compile("already exists|duplicate column", re.IGNORECASE)


def while_others_create(make: Callable[[], _T]) -> _T:
    """What `make` returns, tried again while other processes make the same tables in the same database."""
    for _ in range(_MAX_TRIES - 1):
        try:
            return make()
        except DatabaseError as error:
            if not (isinstance(error, IntegrityError) or _MADE_BY_ANOTHER.search(str(error))):
                raise
            time.sleep(_WAIT_SECONDS)
    return make()


def ensure_schema(engine: Engine) -> None:
    """Makes our tables in a new database, and migrates those of an older program, one version after the other.

    Raises StorageError for tables of a newer program.
    """
    found = _stored_version(engine)
    if found is None:
        _create(engine)
    elif found > VERSION:
        raise StorageError(
            f"the database is of schema version {found}, this program knows {VERSION}: update mnist-search"
        )
    else:
        for version in range(found + 1, VERSION + 1):
            _migrate(engine, version)


def _create(engine: Engine) -> None:
    with _alone(engine) as connection:
        Base.metadata.create_all(connection, tables=OWN_TABLES)
        with Session(connection) as session:
            session.merge(SchemaVersion(id=1, version=VERSION))
            session.flush()


def _migrate(engine: Engine, version: int) -> None:
    """Leads from the version before to this one, whole or not at all; nothing if another process has done it.

    MySQL alone commits every change of a table at once: what was stopped half-way there has to come from a backup.
    """
    with _alone(engine) as connection:
        # Read within the transaction, and locked where SQLite's own lock does not do: another process may be at it.
        if connection.scalar(select(SchemaVersion.version).with_for_update()) == version - 1:
            MIGRATIONS[version](Operations(MigrationContext.configure(connection)))
            connection.execute(update(SchemaVersion).values(version=version))


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that takes in changes of tables, and that one process has at a time in SQLite."""
    with engine.connect() as connection:
        if isinstance(engine.dialect, sqlite.dialect):
            # Python's driver begins none by itself before a CREATE or ALTER.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


def _stored_version(engine: Engine) -> int | None:
    if not inspect(engine).has_table(SchemaVersion.__tablename__):
        return None
    with Session(engine) as session:
        return session.scalar(select(SchemaVersion.version))
