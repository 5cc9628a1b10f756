"""Makes our tables, brings those of an older program up to date, and refuses those of a newer one."""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, Engine, func, insert, inspect, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from storage.damage import damage_told, whole
from storage.errors import StorageError
from storage.migrations import MIGRATIONS, VERSION
from storage.migrations.exact_text import keep_text_exact
from storage.tables import OWN_TABLES, Base, SchemaVersion

_T = TypeVar("_T")
_MAX_TRIES = 50
_WAIT_SECONDS = 0.1
_LOCK = 0x6D6E697374  # "mnist": PostgreSQL's locks have numbers
_LOCK_SECONDS = 60
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
        keep_text_exact(connection, [table.name for table in OWN_TABLES])
        if connection.scalar(select(SchemaVersion.version)) is None:  # another process may have been first
            row = {"id": 1, "version": VERSION, "database_token": secrets.token_hex(8)}
            connection.execute(insert(SchemaVersion).values(row))


def _migrate(engine: Engine, version: int) -> None:
    """Leads from the version before to this one, whole or not at all; nothing if another process has done it.

    MySQL alone commits every change of a table at once: what was stopped half-way there goes on at the next opening.
    """
    with _alone(engine) as connection:
        # Read when nobody else can be at it: another process may have been.
        if connection.scalar(select(SchemaVersion.version)) == version - 1:
            MIGRATIONS[version](Operations(MigrationContext.configure(connection)))
            connection.execute(update(SchemaVersion).values(version=version))


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that takes in changes of tables, and that one process has at a time."""
    with engine.connect() as connection, _LOCKS[engine.dialect.name](connection):
        yield connection
        connection.commit()


@contextmanager
def _sqlite_lock(connection: Connection) -> Iterator[None]:
    # Python's driver begins no transaction by itself before a CREATE or ALTER.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    yield


@contextmanager
def _postgresql_lock(connection: Connection) -> Iterator[None]:
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    yield


@contextmanager
def _mysql_lock(connection: Connection) -> Iterator[None]:
    """By a name, since a transaction's locks end at the first change of a table; names are those of all databases."""
    name = "CONCAT('mnist-search ', MD5(DATABASE()))"
    if connection.scalar(text(f"SELECT GET_LOCK({name}, {_LOCK_SECONDS})")) != 1:
        raise StorageError(
            f"another process has been changing the tables of this database for {_LOCK_SECONDS} s: try again later"
        )
    try:
        yield
    except BaseException:
        connection.invalidate()  # closes it, and the lock goes with it
        raise
    connection.execute(text(f"DO RELEASE_LOCK({name})"))


_LOCKS = {"sqlite": _sqlite_lock, "postgresql": _postgresql_lock, "mysql": _mysql_lock}


def _stored_version(engine: Engine) -> int | None:
    if not inspect(engine).has_table(SchemaVersion.__tablename__):
        return None
    with damage_told("the version of its tables"), Session(engine) as session:
        found: object = session.scalar(select(SchemaVersion.version))
        if found is not None and whole(found) < 1:
            raise ValueError(f"{found}")
    return None if found is None else whole(found)
