"""`train` through the command line."""

import sqlite3
import threading
from collections.abc import Callable

import pytest

from search.cli import train
from tests.helpers.cli import call

pytestmark = pytest.mark.usefixtures("mine")


def test_train_prints_every_epoch_and_an_analysis(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["train", "mine.yaml", "--dataset", "digits", "--sustain", "2"], capsys)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["epoch", "loss", "train", "test", "loss", "test", "accuracy", "lr", "s"]
    assert [line.split()[0] for line in lines[1:3]] == ["1/2", "2/2"]
    assert "/300 (" in lines[1]
    assert [line.split()[0] for line in lines[4:] if line[0] != " "] == ["target", "results", "analysis"]
    assert "mine: 332 parameters, 1,497 training images" in err
    assert all(len(line) <= 80 for line in lines), lines


TRAIN = ["train", "mine.yaml", "--dataset", "digits", "--epochs", "1"]


def after_training(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Something happens when the training is over, and not kept yet."""
    print_epochs = train._print_epochs

    def happening(*arguments: object, **named: object) -> None:
        print_epochs(*arguments, **named)  # type: ignore[arg-type]
        happens()

    monkeypatch.setattr(train, "_print_epochs", happening)


def test_a_training_is_kept_as_soon_as_another_program_lets_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.locks.MOMENT_SECONDS", 0.05)
    monkeypatch.setattr("storage.patience.QUIET_SECONDS", 0)
    other = sqlite3.connect("mnist-search.db", check_same_thread=False)
    release = threading.Timer(0.5, other.rollback)

    def lock() -> None:
        other.execute("BEGIN IMMEDIATE")
        release.start()

    after_training(monkeypatch, lock)
    code, out, err = call(TRAIN, capsys)
    release.join()
    assert code == 0, err
    assert "\nresults   332 parameters; " in out
    assert "\nthe database is locked by another program: waiting for up to 10 min\nthe database works again, " in err
    assert other.execute("SELECT COUNT(*) FROM training_runs").fetchone() == (1,)
    other.close()


def test_a_training_is_shown_though_it_cannot_be_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drop() -> None:
        with sqlite3.connect("mnist-search.db") as database:
            database.execute("DROP TABLE training_runs")
        database.close()

    after_training(monkeypatch, drop)
    code, out, err = call(TRAIN, capsys)
    assert code == 1
    assert "\nresults   332 parameters; " in out
    assert err.splitlines()[-1].startswith("mnist-search: the database failed (no such table: training_runs): run ")
