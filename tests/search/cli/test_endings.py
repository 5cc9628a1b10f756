"""How a command ends whose database or disk fails: one line, exit code 1, no traceback."""

import sqlite3
import subprocess
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import ArgumentError, OperationalError

from models.errors import MnistSearchError, WorkFailedError
from search.cli.endings import ending_of
from storage.errors import NothingStoredError, StorageError, StorageFailedError, StudyBusyError, StudyLostError
from tests.helpers.cli import COMMAND, call, environment


def failed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that fails, without the program's name."""
    code, out, err = call(arguments, capsys)
    assert (code, out) == (1, "")
    assert err.startswith("mnist-search: ")
    assert err.count("\n") == 1
    return err.removeprefix("mnist-search: ").rstrip("\n")


@pytest.mark.usefixtures("with_a_study")
@pytest.mark.parametrize("command", ["status", "show best", "report --out r.html"])
def test_tables_that_another_program_has_changed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect("mnist-search.db") as database:
        database.execute("DROP TABLE epoch_records")
    database.close()
    assert failed(command.split(), capsys) == (
        "the database failed (no such table: epoch_records): run the same command again; if that fails too, another "
        "program has changed its tables: put back a copy of it, or name another with --storage"
    )


@pytest.mark.usefixtures("with_a_study")
def test_a_database_that_is_damaged_in_its_middle(capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect("mnist-search.db") as database:
        [(page,)] = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'trial_params'")
    database.close()
    with Path("mnist-search.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    assert failed(["status"], capsys) == (
        "the database is damaged (sqlite:///mnist-search.db: database disk image is malformed): "
        "put back a copy of it; the same command goes on"
    )


def test_a_full_disk_under_the_output(own_folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "presets"],
            env=environment(own_folder),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == (
        "mnist-search: the disk is full (No space left on device): make room on it; the same command goes on\n"
    )
    assert done.returncode == 1


def by_optuna(cause: Exception) -> StorageInternalError:
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MnistSearchError("x"), 2),
        (StorageError("x"), 2),
        (NothingStoredError("x"), 2),
        (StudyBusyError("x"), 2),
        (StudyLostError("x"), 1),
        (StorageFailedError("x", "y", "z", True), 1),
        (WorkFailedError("x"), 1),
        (by_optuna(OperationalError("SELECT", {}, sqlite3.OperationalError("no such table: x"))), 1),
        (OSError(28, "No space left on device"), 1),
        (FileNotFoundError(2, "No such file"), None),
        (ArgumentError("a bug of ours"), None),
        (by_optuna(ValueError("a bug")), None),
        (KeyError("a bug"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_a_fault_of_whom(error: Exception, code: int | None) -> None:
    ending = ending_of(error)
    assert (None if ending is None else ending[1]) == code
    assert ending is None or (ending[0] and "\n" not in ending[0])
