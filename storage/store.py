"""Store: one database with Optuna's tables and ours, and the place of its files."""

import os
import shutil
import sqlite3
import tempfile
import time
import weakref
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
from storage.private_copy import copy_database, may_be_written
from storage.schema import ensure_schema, while_others_create
from storage.urls import EXTRAS, engine_options, folder_of, kind_of, parse, with_driver

ARTIFACT_FOLDER = "mnist-search-artifacts"
_RETRY_SECONDS = 0.05


class Store:
    """An open storage. One dispatcher writes at a time; any number of processes may read.

    With `for_reading` an SQLite file that may not be written is copied, and the copy is opened: what is written is lost
    when the store is closed, and what others write later is not seen. Nobody who only reads has to know.

    Raises StorageError when the URL is malformed, its folder is missing or cannot be written, the file is no
    database, or, with `must_exist`, NothingStoredError when nothing is stored there yet.
    """

    def __init__(self, url: str, must_exist: bool = False, for_reading: bool = False) -> None:
        self.url = parse(url)
        self.folder = folder_of(self.url)
        if must_exist and not _exists(self.url):
            raise NothingStoredError(
                f"nothing is stored at {self.url.render_as_string()} yet: "
                "run `mnist-search run` first, or name --storage"
            )
        self.is_copy = for_reading and _is_fixed(self.url)
        """Whether what is written here is lost."""
        self.optuna = _open(self._copied() if self.is_copy else self.url, self.url)
        self.engine: Engine = self.optuna.engine
        if kind_of(self.url) != "sqlite":  # a command closes nothing at its end
            weakref.finalize(self, _give_back, self.engine, os.getpid())
        tell_faults(self.engine, self.url)
        try:
            while_others_create(lambda: ensure_schema(self.engine))
        except BaseException:
            self.close()
            raise

    @staticmethod
    def exists(url: str) -> bool:
        """Whether something may be stored there. Raises StorageError when the URL is malformed."""
        return _exists(parse(url))

    @property
    def artifact_folder(self) -> Path:
        """Where files of trials are kept, if the database says nothing else."""
        return self.folder / ARTIFACT_FOLDER

    @property
    def artifact_location(self) -> ArtifactLocation:
        """Which place has the files of trials."""
        return ArtifactLocation(self.engine, self.artifact_folder, is_beside=kind_of(self.url) == "sqlite")

    def artifacts(self) -> Artifacts:
        """The files of trials, an artifact store by Optuna's protocol."""
        return self.artifact_location.open()

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


def _open(url: URL, named: URL) -> RDBStorage:
    """The storage at `url`, which the user knows as `named`."""
    if kind_of(url) == "sqlite":
        _require_sqlite(url, named)
    driven = with_driver(url)
    # Optuna puts its version in the place of {SCHEMA_VERSION}: braces of ours are none of its business.
    text = driven.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    try:
        storage = while_others_create(lambda: _OptunaStorage(text, engine_kwargs=engine_options(driven)))
    except ImportError:
        raise StorageError(_without_driver(driven, named)) from None
    except (DatabaseError, RuntimeError) as error:
        raise StorageError(_not_opened(error, named)) from None
    if kind_of(url) == "sqlite":
        event.listen(storage.engine, "connect", _set_connection_pragmas)
        storage.engine.dispose()  # connections made before the listener stood lack foreign keys
    return storage


def _without_driver(url: URL, named: URL) -> str:
    shown, extra = named.render_as_string(), EXTRAS.get(url.drivername)
    if extra is None:
        bare = url.set(drivername=url.get_backend_name()).render_as_string()
        return f"{shown} needs a driver that is not installed: install {url.get_driver_name()}, or write {bare}"
    return f"{shown} needs a driver that is not installed: pip install -e '.[{extra}]'"


def _not_opened(error: Exception, named: URL) -> str:
    """Why a database cannot be opened, and what to do where only a server can be at fault."""
    said = f"{named.render_as_string()} cannot be opened: {_one_line(getattr(error, 'orig', None) or error)}"
    if isinstance(error, OperationalError) and kind_of(named) != "sqlite":
        return f"{said}; see that the server runs and has this database, or name another with --storage"
    return said


def _require_sqlite(url: URL, named: URL) -> None:
    """Raises StorageError unless the file is a database that may be written; a new one is made."""
    fault = _sqlite_fault(Path(str(url.database)))
    kind = FAULTS_AT_OPENING.get(fault or "")
    if kind is not None:
        raise StorageFailedError(kind.what, f"{named.render_as_string()}: {fault}", kind.advice, kind.passes)
    if fault is not None and "not a database" in fault:
        raise StorageError(f"{Path(str(named.database))} is not an SQLite database: name another with --storage")
    if fault is not None:
        what = "written" if url == named else "read"
        raise StorageError(f"{Path(str(named.database))} cannot be {what}: {fault}; name another with --storage")


def _sqlite_fault(path: Path) -> str | None:
    """Switches the file to write-ahead logging; returns why it is no database or cannot be written, if so it is."""
    start = time.monotonic()
    # Two processes that switch a new file at once may both be told "locked" without having waited.
    while (fault := _fault_of(path)) is not None and "locked" in fault:
        if time.monotonic() - start > urls.BUSY_TIMEOUT_SECONDS:
            break
        time.sleep(_RETRY_SECONDS)
    return fault


def _fault_of(path: Path) -> str | None:
    if os.path.isfile(path) and not os.access(path, os.W_OK):  # SQLite would find out late, and leave files beside it
        return "attempt to write a readonly database"
    try:
        connection = sqlite3.connect(path, timeout=urls.BUSY_TIMEOUT_SECONDS)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")  # of a file that may not be written this is a mere read
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute(f"PRAGMA user_version={version}")
            connection.rollback()
        finally:
            connection.close()
    except sqlite3.Error as error:
        return _one_line(error)
    return None


def _set_connection_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=NORMAL")  # with WAL: survives any crash of the program, not of the power
    cursor.close()


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
