"""A private copy of an SQLite file that may not be written, to be read like any other.

SQLite cannot read a database in write-ahead logging without writing beside it, and where it can write there but not to
the file itself, it leaves side files of ours that lock the owner out of their own database. So the original is looked
at without SQLite, or through connections that write nothing.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from storage.errors import StorageError

_LOGS = ("-wal", "-journal")
"""Beside the file: what was written and is not in it yet. A program that has the file open keeps a `-shm` too."""
_MAX_TRIES = 20
_TIMEOUT_SECONDS = 60


def may_be_written(path: Path) -> bool:
    """Whether the file, its folder and what SQLite keeps beside it may be written; nothing is touched to find out."""
    all_of_it = [str(path.parent), *(f"{path}{suffix}" for suffix in ("", *_LOGS, "-shm"))]
    return all(os.access(one, os.W_OK) for one in all_of_it if os.path.exists(one))


def copy_database(source: Path, target: Path) -> None:
    """Copies a database with all that was committed to it, also while another process writes it.

    Raises StorageError when it cannot be read.
    """
    try:
        if not (_is_in_use(source) and _backed_up(source, target)):
            _copy_files(source, target)
    except OSError as error:
        raise StorageError(f"{source} cannot be read: {error.strerror or error}; name another with --storage") from None


def _is_in_use(source: Path) -> bool:
    """Whether a program has it open, or was killed while it had: only then a reader adds no files of its own."""
    return os.path.exists(f"{source}-wal") and os.path.exists(f"{source}-shm")


def _backed_up(source: Path, target: Path) -> bool:
    """Whether SQLite could copy it, in a single transaction."""
    try:
        with (
            closing(
                sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=_TIMEOUT_SECONDS)
            ) as one,
            closing(sqlite3.connect(target)) as other,
        ):
            one.backup(other)
    except sqlite3.Error:
        target.unlink(missing_ok=True)
        return False
    return True


def _copy_files(source: Path, target: Path) -> None:
    """Copies the file and its logs, from which SQLite will restore what is not in the file yet."""
    for _ in range(_MAX_TRIES):
        before = _state(source)
        for suffix in ("", *_LOGS):
            Path(f"{target}{suffix}").unlink(missing_ok=True)
            if os.path.exists(f"{source}{suffix}"):
                shutil.copyfile(f"{source}{suffix}", f"{target}{suffix}")
        if _state(source) == before:
            return
    raise StorageError(f"{source} cannot be read: it changes all the time; try again, or name another with --storage")


def _state(source: Path) -> list[tuple[int, int]]:
    """Differs from what it was if somebody wrote meanwhile."""
    stats = [os.stat(path) for suffix in ("", *_LOGS) if os.path.exists(path := f"{source}{suffix}")]
    return [(stat.st_mtime_ns, stat.st_size) for stat in stats]
