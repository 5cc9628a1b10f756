"""Commands on a database that another program has locked: readers do not wait, and whoever waits says so."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.helpers.cli import QUICK, call
from trainer.data.find import find_dataset

pytestmark = pytest.mark.usefixtures("with_a_study", "inline_engine")

READING = ["status", "status --json", "show 0", "show best --json", "compare 0 a-step5", "report --out r.html"]
WAITING = "the database is locked by another program: waiting for up to 3 s"


@contextmanager
def locked(how: str = "IMMEDIATE", seconds: float | None = None) -> Iterator[None]:
    """Another program writes; it ends after so many seconds, or with the block."""
    with closing(sqlite3.connect("mnist-search.db", check_same_thread=False, isolation_level=None)) as other:
        other.execute(f"BEGIN {how}")
        other.execute("UPDATE studies SET study_name = study_name")
        end = threading.Timer(seconds or 0.0, other.rollback)
        if seconds is not None:
            end.start()
        yield
        if seconds is None:
            other.rollback()
        else:
            end.join()


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_whoever_reads_needs_no_lock(capsys: pytest.CaptureFixture[str], how: str) -> None:
    for command in READING:
        free = call(command.split(), capsys)
        with locked(how):
            began = time.monotonic()
            assert call(command.split(), capsys)[:2] == free[:2]
            assert time.monotonic() - began < 30  # of a busy machine; it was a minute, and failed
        assert free[0] == 0, free


def test_the_patience_of_a_run_holds_for_the_opening_too(capsys: pytest.CaptureFixture[str]) -> None:
    with locked():
        began = time.monotonic()
        code, _, err = call(["run", "--trials", "4", "--patience", "3", *QUICK], capsys)
        assert 3 <= time.monotonic() - began < 15
    assert code == 1
    first, last = err.splitlines()
    assert first == WAITING
    assert last.startswith("mnist-search: the database is locked by another program (sqlite:///mnist-search.db: ")


def test_a_run_goes_on_when_the_lock_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    with locked(seconds=2.5):
        code, _, err = call(["run", "--trials", "4", "--patience", "30", *QUICK], capsys)
    assert code == 0, err
    first, second, *_ = err.splitlines()
    assert first == "the database is locked by another program: waiting for up to 30 s"
    assert second.startswith("the database works again, after ")


def test_whoever_has_to_wait_to_read_says_what_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without write-ahead logging, as in a file that was put back from a copy."""
    monkeypatch.setattr("storage.urls.BUSY_TIMEOUT_SECONDS", 3)
    with closing(sqlite3.connect("mnist-search.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    with locked("EXCLUSIVE"):
        code, _, err = call(["status"], capsys)
    assert (code, err.splitlines()[0]) == (1, WAITING)
    with locked():  # where somebody writes, and has not come to the end
        assert call(["status"], capsys)[0] == 0


def test_a_training_whose_study_was_locked_in_between_waits_as_the_user_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the opening, and before the search, which has its own patience."""
    find, held = find_dataset, list[sqlite3.Connection]()

    def find_and_lock(*arguments: object) -> object:
        held.append(sqlite3.connect("mnist-search.db"))
        held[0].execute("BEGIN IMMEDIATE")
        return find(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("search.study.setup.find_dataset", find_and_lock)
    code, _, err = call(["run", "--study", "another", "--trials", "1", "--patience", "3", *QUICK], capsys)
    held[0].close()
    assert (code, err.splitlines()[0]) == (1, WAITING)
