"""Faults of a database or a disk in the middle of work, told in one line wherever they are met.

SQLAlchemy's engine has one place through which every error of a driver comes, whoever asked for the statement: this
package, or Optuna's storage. What is the database's own fault (`storage/fault_kinds.py`) leaves it as a
StorageFailedError; all else leaves it as it was. SQLAlchemy sees to the connection all the same: one that is lost goes,
with all others of the pool, and the next statement makes a new one.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError
from sqlalchemy import URL, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from storage.errors import StorageFailedError
from storage.fault_kinds import MOVED, kind_of_fault
from storage.urls import shown

_MAX_WORDS = 200

_DISK_FAULTS = {
    errno.ENOSPC: ("the disk is full", "make room on it"),
    errno.EDQUOT: ("the disk has no more room for this user", "make room on it"),
    errno.EROFS: ("the disk may not be written", "let it be written again"),
    errno.EIO: ("the disk fails", "see that it is well"),
}


def tell_faults(engine: Engine, url: URL) -> None:
    """Makes a StorageFailedError of each fault of a database, which the user knows by this URL."""
    where = shown(url.set(query={}))  # an option of it may be another password

    def tell(context: ExceptionContext) -> StorageFailedError | None:
        said = context.sqlalchemy_exception
        if not isinstance(said, DBAPIError) or isinstance(said, IntegrityError):
            return None
        if context.is_pre_ping:  # SQLAlchemy asks whether a connection is alive, and wants to hear for itself
            return None
        error = context.original_exception
        kind = kind_of_fault(error, context.dialect.name, context.is_disconnect)
        if kind is None:
            return None
        return StorageFailedError(kind.what, f"{where}: {_words(error)}", kind.advice, kind.passes)

    event.listen(engine, "handle_error", tell)
    if engine.dialect.name == "sqlite":
        _require_file_in_place(engine, where)


def _require_file_in_place(engine: Engine, where: str) -> None:
    """Raises a StorageFailedError for an SQLite file that lost its name, each time a connection is made or taken.

    A connection to such a file goes on without an error, and what it writes is lost; a new one makes an empty file of
    that name. SQLite compares the same two numbers, but in write-ahead logging only when it closes the file.
    """
    path = os.path.abspath(str(engine.url.database))
    known = _identity(path)

    def require(*_: object) -> None:
        if _identity(path) != known:
            raise StorageFailedError(MOVED.what, where, MOVED.advice, MOVED.passes)

    for moment in ("do_connect", "checkout"):
        event.listen(engine, moment, require)


def _identity(path: str) -> tuple[int, int] | None:
    """The disk and the number of a file; None if it is not there."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def disk_faults(place: object) -> Iterator[None]:
    """Makes a StorageFailedError of a disk that is full or may not be written any more; other errors stay."""
    try:
        yield
    except OSError as error:
        failed = disk_fault(error, place)
        if failed is None:
            raise
        raise failed from error


def disk_fault(error: OSError, place: object = None) -> StorageFailedError | None:
    """What is told of an error of a disk, at this place or at that which it names; None if it is none."""
    if error.errno not in _DISK_FAULTS:
        return None
    what, advice = _DISK_FAULTS[error.errno]
    where = place or error.filename
    said = os.strerror(error.errno)
    return StorageFailedError(what, f"{where}: {said}" if where else said, advice, passes=False)


def database_failed(error: BaseException) -> str | None:
    """What is told of an error of a database that is not known to be its own fault; None if it is none of a database.

    Such as a table that is missing; Optuna wraps them.
    """
    if isinstance(error, StorageInternalError) and error.__cause__ is not None:
        error = error.__cause__
    if not isinstance(error, (DBAPIError, NoConnectionError)):
        return None
    return (
        f"the database failed ({_words(getattr(error, 'orig', None) or error)}): run the same command again; if that "
        "fails too, another program has changed its tables: put back a copy of it, or name another with --storage"
    )


def _words(error: BaseException) -> str:
    """The first line of what a driver says; MySQL's say a number before it."""
    said = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], str) else str(error)
    first = next(iter(said.strip().splitlines()), type(error).__name__)
    return first if len(first) <= _MAX_WORDS else f"{first[: _MAX_WORDS - 1]}…"
