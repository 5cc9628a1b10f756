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
from tests.helpers.cli import COMMAND, QUICK, call, environment
from tests.helpers.running import outcomes, sql


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


def run_in_shell(redirection: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command with its standard streams as the shell's `redirection` leaves them."""
    script = f'exec "$@" {redirection}'
    return subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *arguments],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


UNKNOWN_OPTION = "mnist-search: No such option: --nope (see mnist-search --help)\n"


@pytest.mark.parametrize(
    ("redirection", "writes_stdout", "writes_stderr"),
    [
        (">&-", False, True),
        ("2>&-", True, False),
        ("<&-", True, True),
        ("<&- >&- 2>&-", False, False),
        ("1</dev/null", False, True),
        ("2</dev/null", True, False),
    ],
)
def test_a_command_with_a_closed_stream_ends_as_usual(
    own_folder: Path, redirection: str, writes_stdout: bool, writes_stderr: bool
) -> None:
    usual = run_in_shell("", ["presets"], own_folder).stdout
    done = run_in_shell(redirection, ["presets"], own_folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, usual if writes_stdout else "", "")
    refused = run_in_shell(redirection, ["status", "--nope"], own_folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (UNKNOWN_OPTION if writes_stderr else "")


@pytest.mark.parametrize(
    ("redirection", "fault"),
    [
        ("<&-", "standard input is empty: give a PNG, a JPEG or an IDX file"),
        ("0>unreadable", "standard input cannot be read: Bad file descriptor"),
    ],
)
def test_predict_reports_a_standard_input_without_a_picture(
    own_folder: Path, bundle: Path, redirection: str, fault: str
) -> None:
    done = run_in_shell(redirection, ["predict", str(bundle), "-"], own_folder)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"mnist-search: {fault}\n")


def test_workers_train_where_every_stream_is_closed(own_folder: Path) -> None:
    arguments = ["run", "--trials", "2", "--workers", "2", *QUICK]
    done = run_in_shell("<&- >&- 2>&-", arguments, own_folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert outcomes(own_folder)["trained"] == 2
    assert sql(own_folder, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    "arguments", ["presets", "status", "run --trials 1", "train a-step5", "export best --out m", "--version -v"]
)
def test_a_deleted_working_folder_is_one_line(own_folder: Path, arguments: str) -> None:
    done = in_deleted_folder(arguments, own_folder)
    assert done.stderr == (
        "mnist-search: the working folder was deleted: change to one that exists (cd), and run the command there\n"
    )
    assert (done.returncode, done.stdout) == (2, "")


def test_help_needs_no_working_folder(own_folder: Path) -> None:
    done = in_deleted_folder("--help", own_folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: mnist-search" in done.stdout


def in_deleted_folder(arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "gone").mkdir()
    script = 'cd gone && rmdir ../gone && exec "$@"'
    return subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *arguments.split()],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_working_folder_that_is_deleted_during_the_work(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folder / "gone").mkdir()
    monkeypatch.chdir(own_folder / "gone")
    error = FileNotFoundError(2, "No such file")
    assert ending_of(error) is None
    (own_folder / "gone").rmdir()
    text = "the working folder was deleted: change to one that exists (cd), and run the command there"
    assert ending_of(error) == (text, 1)


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
