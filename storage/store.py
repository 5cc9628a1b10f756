"""Store: one database with Optuna's tables and ours, and the place of its files."""

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from storage import urls
from storage.artifact_location import ArtifactLocation
from storage.artifacts import Artifacts
from storage.errors import NothingStoredError, StorageError, StorageFailedError
from storage.fault_kinds import FAULTS_AT_OPENING
from storage.faults import tell_faults
from storage.locks import LockWait
from storage.patience import tell_on_stderr, told_when_slow
from storage.private_copy import copy_database, may_be_written
from storage.schema import ensure_schema, while_others_create
from storage.study_tokens import clear_left_over
from storage.urls import EXTRAS, engine_options, folder_of, kind_of, parse, shown, with_driver

ARTIFACT_FOLDER = "mnist-search-artifacts"


class Store:
    """An open storage. One dispatcher writes at a time; any number of processes may read.

    With `for_reading` an SQLite file that may not be written is copied, and the copy is opened: what is written is lost
    when the store is closed, and what others write later is not seen. Nobody who only reads has to know. A reader waits
    for no lock, unless the tables are those of an older program; a writer deletes rows of studies that are gone.

    Raises StorageError when the URL is malformed, its folder is missing or cannot be written, the file is no
    database, or, with `must_exist`, NothingStoredError when nothing is stored there yet.
    """

    def __init__(
        self, url: str, must_exist: bool = False, for_reading: bool = False, patience_seconds: float | None = None
    ) -> None:
        """`patience_seconds` is how long another program's lock is waited for: a minute unless given."""
        self.url = parse(url)
        self.folder = folder_of(self.url)
        if must_exist and not _exists(self.url):
            raise NothingStoredError(
                f"nothing is stored at {shown(self.url)} yet: run `mnist-search run` first, or name --storage"
            )
        self.is_copy = for_reading and _is_fixed(self.url)
        """Whether what is written here is lost."""
        where = shown(self.url)
        seconds = urls.BUSY_TIMEOUT_SECONDS if patience_seconds is None else patience_seconds
        self._locks = LockWait(where, tell_on_stderr, seconds)
        with _told_when_slow(self.url):
            self.optuna = _open(self._copied() if self.is_copy else self.url, self.url, self._locks, for_reading)
            self.engine: Engine = self.optuna.engine
            if kind_of(self.url) != "sqlite":  # a command closes nothing at its end
                weakref.finalize(self, _give_back, self.engine, os.getpid())
            tell_faults(self.engine, self.url)
            try:
                while_others_create(lambda: ensure_schema(self.engine))
                if not for_reading:
                    clear_left_over(self.engine)
            except BaseException:
                self.close()
                raise

    @staticmethod
    def exists(url: str) -> bool:
        """Whether something may be stored there. Raises StorageError when the URL is malformed."""
        return _exists(parse(url))

    @property
    def artifact_folder(self) -> Path:
        """Where files of trials are kept, if the database says nothing else: beside the file that a link leads to."""
        is_file = kind_of(self.url) == "sqlite"
        folder = Path(os.path.realpath(str(self.url.database))).parent if is_file else self.folder
        return folder / ARTIFACT_FOLDER

    @property
    def artifact_location(self) -> ArtifactLocation:
        """Which place has the files of trials."""
        return ArtifactLocation(self.engine, self.artifact_folder, is_beside=kind_of(self.url) == "sqlite")

    def artifacts(self) -> Artifacts:
        """The files of trials, an artifact store by Optuna's protocol."""
        return self.artifact_location.open()

    def leave_waiting_to_patience(self) -> None:
        """Lets SQLite wait for a lock for a moment only, for whoever calls each action with a Patience of his own."""
        self._locks.leave_to_others()

    def close(self) -> None:
        """Gives the connections back."""
        self.optuna.remove_session()
        self.engine.dispose()
        if self.is_copy:
            self._remove_copy()

    def _copied(self) -> URL:
        """A copy in a folder of our own, which is removed when the store is closed, forgotten, or the program ends."""
        source = Path(str(self.url.database))
        try:
            folder = tempfile.mkdtemp(prefix="mnist-search-")
        except OSError as error:
            raise StorageError(f"{source} cannot be copied to be read: {error.strerror or error}") from None
        self._remove_copy = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        copy_database(source, Path(folder) / "copy.db")
        return self.url.set(database=f"{folder}/copy.db")


def _give_back(engine: Engine, pid: int) -> None:
    """Closes connections that nobody uses any more; those of a process that this one is a copy of are not ours."""
    if os.getpid() == pid:
        engine.dispose()


class _OptunaStorage(RDBStorage):
    """Optuna's storage, which gives its connections back where it cannot be opened."""

    def __init__(self, url: str, engine_kwargs: dict[str, Any]) -> None:
        try:
            super().__init__(url, engine_kwargs)
        except BaseException:
            if hasattr(self, "scoped_session"):
                self.remove_session()
                self.engine.dispose()
            raise


def _exists(url: URL) -> bool:
    return kind_of(url) != "sqlite" or os.path.exists(str(url.database))


def _is_fixed(url: URL) -> bool:
    """Whether it is a file that is there and may not be written."""
    return kind_of(url) == "sqlite" and _exists(url) and not may_be_written(Path(str(url.database)))


def _told_when_slow(url: URL) -> AbstractContextManager[None]:
    """Tells of a server that does not answer; of the lock of a file LockWait tells."""
    if kind_of(url) == "sqlite":
        return nullcontext()
    text = f"waiting for {shown(url)}: it does not answer, or another program changes its tables"
    return told_when_slow(text, tell_on_stderr)


def _open(url: URL, named: URL, locks: LockWait, for_reading: bool) -> RDBStorage:
    """The storage at `url`, which the user knows as `named`."""
    if kind_of(url) == "sqlite":
        _require_sqlite(url, named, locks, for_reading)
    driven = with_driver(url)
    # Optuna puts its version in the place of {SCHEMA_VERSION}: braces of ours are none of its business.
    text = driven.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    options = {"connect_args": locks.arguments} if kind_of(url) == "sqlite" else engine_options(driven)
    try:
        storage = while_others_create(lambda: _OptunaStorage(text, engine_kwargs=options))
    except ImportError:
        raise StorageError(_without_driver(driven, named)) from None
    except (DatabaseError, RuntimeError) as error:
        _require_no_fault(_one_line(getattr(error, "orig", None) or error), named)
        raise StorageError(_not_opened(error, named)) from None
    if kind_of(url) == "sqlite":
        event.listen(storage.engine, "connect", _set_connection_pragmas)
        storage.engine.dispose()  # connections made before the listener stood lack foreign keys
    return storage


def _without_driver(url: URL, named: URL) -> str:
    where, extra = shown(named), EXTRAS.get(url.drivername)
    if extra is None:
        bare = url.set(drivername=url.get_backend_name()).render_as_string()
        return f"{where} needs a driver that is not installed: install {url.get_driver_name()}, or write {bare}"
    return f"{where} needs a driver that is not installed: pip install -e '.[{extra}]'"


def _not_opened(error: Exception, named: URL) -> str:
    """Why a database cannot be opened, and what to do where only a server can be at fault."""
    said = f"{shown(named)} cannot be opened: {_one_line(getattr(error, 'orig', None) or error)}"
    if isinstance(error, OperationalError) and kind_of(named) != "sqlite":
        return f"{said}; see that the server runs and has this database, or name another with --storage"
    return said


def _require_sqlite(url: URL, named: URL, locks: LockWait, for_reading: bool) -> None:
    """Raises StorageError unless the file is a database that may be written, or read; a new one is made."""
    path = Path(str(url.database))
    fault = _fault_of(path, locks, _look_at if for_reading and os.path.exists(path) else _begin_to_write)
    _require_no_fault(fault, named)
    if fault is not None and "not a database" in fault:
        raise StorageError(f"{Path(str(named.database))} is not an SQLite database: name another with --storage")
    if fault is not None:
        what = "written" if url == named else "read"
        raise StorageError(f"{Path(str(named.database))} cannot be {what}: {fault}; name another with --storage")


def _require_no_fault(said: str | None, named: URL) -> None:
    """Raises StorageFailedError if SQLite says that the file is locked, or its disk full."""
    kind = FAULTS_AT_OPENING.get(said or "")
    if kind is not None:
        raise StorageFailedError(kind.what, f"{shown(named)}: {said}", kind.advice, kind.passes)


def _fault_of(path: Path, locks: LockWait, use: Callable[[Path, sqlite3.Connection], None]) -> str | None:
    """Why a file cannot be used as it is to be; None if it can."""
    try:
        with closing(sqlite3.connect(path, **locks.arguments)) as connection:
            use(path, connection)
    except sqlite3.Error as error:
        return _one_line(error)
    return None


def _begin_to_write(path: Path, connection: sqlite3.Connection) -> None:
    """Switches the file to write-ahead logging, and takes its lock for a moment."""
    if os.path.isfile(path) and not os.access(path, os.W_OK):  # SQLite would find out late, and leave files beside it
        raise sqlite3.OperationalError("attempt to write a readonly database")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")  # of a file that may not be written this is a mere read
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version={version}")
    connection.rollback()


def _look_at(_path: Path, connection: sqlite3.Connection) -> None:
    """Reads the file, which needs no lock in write-ahead logging."""
    connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()


def _set_connection_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=NORMAL")  # with WAL: survives any crash of the program, not of the power
    cursor.close()


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
