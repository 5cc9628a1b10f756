"""Patience: what it waits for, how long, and what it says."""

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from storage.epochs import epochs_of
from storage.errors import StorageFailedError, StudyLostError
from storage.locks import MOMENT_SECONDS
from storage.patience import QUIET_SECONDS, Patience
from storage.store import Store
from tests.helpers.databases import add_epoch, new_trial, record, url_of


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Faulty:
    """An action that fails so many times before it works."""

    def __init__(self, n_faults: int, passes: bool = True, clock: Clock | None = None, seconds: float = 0.0) -> None:
        self.n_left = n_faults
        self.n_calls = 0
        self._passes = passes
        self._clock = clock
        self._seconds = seconds

    def __call__(self) -> str:
        self.n_calls += 1
        if self._clock is not None:
            self._clock.now += self._seconds
        if self.n_left > 0:
            self.n_left -= 1
            raise StorageFailedError("the database is locked by another program", "s.db", "end it", self._passes)
        return "done"


def patience(clock: Clock, said: list[str], seconds: float = 600.0) -> Patience:
    return Patience(said.append, seconds=seconds, clock=clock, sleep=clock.sleep)


def test_what_works_is_done_once_and_nothing_is_said() -> None:
    clock, said, action = Clock(), list[str](), Faulty(0)
    assert patience(clock, said).call(action) == "done"
    assert (action.n_calls, said, clock.pauses) == (1, [], [])


def test_what_passes_is_waited_for_and_told_twice() -> None:
    clock, said, action = Clock(), list[str](), Faulty(15)
    assert patience(clock, said).call(action) == "done"
    assert action.n_calls == 16
    assert said == [
        "the database is locked by another program: waiting for up to 10 min",
        f"the database works again, after {sum(clock.pauses):.0f} s",
    ]
    assert 30 < sum(clock.pauses) < 90
    assert max(clock.pauses) <= 0.25, "looks often whether it is to end"


def test_what_does_not_pass_is_not_waited_for() -> None:
    clock, said, action = Clock(), list[str](), Faulty(1, passes=False)
    with pytest.raises(StorageFailedError):
        patience(clock, said).call(action)
    assert (action.n_calls, said, clock.pauses) == (1, [], [])


@pytest.mark.parametrize("seconds_of_a_call", [0.0, 60.0], ids=["quick", "waits itself"])
def test_it_has_an_end(seconds_of_a_call: float) -> None:
    clock, said = Clock(), list[str]()
    action = Faulty(10_000, clock=clock, seconds=seconds_of_a_call)
    with pytest.raises(StorageFailedError, match="locked by another program"):
        patience(clock, said, 90.0).call(action)
    assert said == ["the database is locked by another program: waiting for up to 90 s"]
    assert 1090 <= clock.now <= 1090 + seconds_of_a_call + 60
    assert action.n_calls > 1


def test_whoever_wants_to_stop_does_not_wait() -> None:
    clock, said, action = Clock(), list[str](), Faulty(10_000)
    stopping = Patience(said.append, is_stopping=lambda: clock.now > 1003, clock=clock, sleep=clock.sleep)
    with pytest.raises(StorageFailedError):
        stopping.call(action)
    assert 1003 < clock.now < 1004
    n_calls = action.n_calls
    with pytest.raises(StorageFailedError):  # once more, by one who knows from the beginning
        stopping.call(action)
    assert action.n_calls == n_calls + 1


def test_other_errors_are_not_waited_for() -> None:
    def lose() -> None:
        raise StudyLostError("gone")

    with pytest.raises(StudyLostError):
        patience(Clock(), []).call(lose)


def test_sqlite_leaves_the_waiting_to_patience(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a minute would pass before it is told, or a Ctrl-C is heard."""
    assert MOMENT_SECONDS == QUIET_SECONDS == 2
    monkeypatch.setattr("storage.locks.MOMENT_SECONDS", 0.3)
    writer = Store(url_of(tmp_path / "s.db"))
    writer.leave_waiting_to_patience()
    trial, began, stopped = new_trial(store), time.monotonic(), list[float]()
    other = sqlite3.connect(tmp_path / "s.db")
    other.execute("BEGIN IMMEDIATE")

    def is_stopping() -> bool:
        stopped.append(time.monotonic() - began)
        return True

    with pytest.raises(StorageFailedError, match="locked by another program"):
        Patience(list[str]().append, is_stopping).call(lambda: add_epoch(writer.engine, trial, record(1)))
    other.rollback()
    other.close()
    writer.close()
    assert 0.25 < stopped[0] < 10


def test_a_real_lock_is_waited_for(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.urls.BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr("storage.patience.QUIET_SECONDS", 0.2)
    impatient, trial, said = Store(url_of(tmp_path / "s.db")), new_trial(store), list[str]()
    other = sqlite3.connect(tmp_path / "s.db", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.6, other.rollback)
    release.start()
    began = time.monotonic()
    Patience(said.append).call(lambda: add_epoch(impatient.engine, trial, record(1)))
    assert time.monotonic() - began >= 0.5
    release.join()
    other.close()
    impatient.close()
    assert epochs_of(store.engine, trial) == [record(1)]
    assert said[0] == "the database is locked by another program: waiting for up to 10 min"
    assert said[1].startswith("the database works again, after ")
    assert len(said) == 2
