"""A database that fails in the middle of a search: what passes is waited for, and what does not loses nothing."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import event

from search.dispatch.dispatcher import Dispatcher, Limits
from search.dispatch.listener import Listener, SearchState
from search.study.outcomes import Outcome
from search.study.study import SearchStudy, resume_study
from storage.epochs import epochs_of
from storage.errors import StorageFailedError
from storage.sessions import StudySession
from storage.store import Store
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.searches import begin, search
from trainer.training.records import EpochRecord
from trainer.workers.messages import Job


class Hearing(Listener):
    """Keeps what it is told of a database that is waited for."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def waiting(self, state: SearchState, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def hasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that is told of a lock at once."""
    monkeypatch.setattr("storage.urls.BUSY_TIMEOUT_SECONDS", 0)
    monkeypatch.setattr("storage.patience.QUIET_SECONDS", 0)
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    yield store
    store.close()


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Another program writes, and does not come to an end."""
    with closing(sqlite3.connect(str(store.url.database), timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


def run(
    study: SearchStudy, engine: InlineEngine, n_trials: int, listener: Listener, patience_seconds: float = 60
) -> SearchState:
    session = StudySession(study.store.engine, study.study_id)
    try:
        return Dispatcher(study, engine, Limits(n_trials, patience_seconds=patience_seconds), session, listener).run()
    finally:
        session.end()


def values(study: SearchStudy) -> list[float | None]:
    study.refresh()
    return [trial.value for trial in study.trials(Outcome.TRAINED)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[float | None]:
    """What three trials of three epochs come to."""
    study = begin(Store(f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 's.db'}"), epochs=3)
    search(study, 3)
    return values(study)


def test_a_lock_is_waited_for(hasty: Store, undisturbed: list[float | None]) -> None:
    study, heard, locks = begin(hasty, epochs=3), Hearing(), list[threading.Thread]()

    def lock(job: Job, record: EpochRecord) -> None:
        if record.epoch != 2:
            return
        is_locked = threading.Event()

        def hold() -> None:
            with locked(hasty):
                is_locked.set()
                threading.Event().wait(0.4)

        locks.append(threading.Thread(target=hold))
        locks[-1].start()
        assert is_locked.wait(30)

    run(study, InlineEngine(small_digits(), after_epoch=lock), 3, heard)
    for thread in locks:
        thread.join()
    assert heard.said[0] == "the database is locked by another program: waiting for up to 60 s"
    assert heard.said[1].startswith("the database works again, after ")
    assert len(heard.said) == 6
    assert values(study) == undisturbed


def test_a_lock_that_does_not_pass_ends_the_search_and_the_next_one_goes_on(
    hasty: Store, undisturbed: list[float | None]
) -> None:
    study, locks = begin(hasty, epochs=3), list[Any]()

    def lock(job: Job, record: EpochRecord) -> None:
        if job.number and record.epoch == 2:
            locks.append(locked(hasty))
            locks[-1].__enter__()

    with pytest.raises(StorageFailedError, match=r"^the database is locked by another program \(.* goes on$"):
        run(study, InlineEngine(small_digits(), after_epoch=lock), 3, Listener(), patience_seconds=0.3)
    locks[0].__exit__(None, None, None)
    [abandoned] = study.optuna.get_trials(states=(TrialState.RUNNING,))
    assert len(epochs_of(hasty.engine, abandoned._trial_id)) == 1
    again = InlineEngine(small_digits())
    resumed = resume_study(hasty, "s", {})
    run(resumed, again, 3, Listener())
    assert again.jobs[0].state != b""
    assert values(resumed) == undisturbed


def test_who_waits_for_a_lock_hears_a_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite by itself would wait for a minute, and hear nothing."""
    monkeypatch.setattr("storage.locks.MOMENT_SECONDS", 0.2)
    monkeypatch.setattr("storage.patience.QUIET_SECONDS", 0)
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    study, locks = begin(store, epochs=3), list[Any]()

    class Stopping(Listener):
        def waiting(self, state: SearchState, text: str) -> None:
            dispatcher.stop()

    def lock(job: Job, record: EpochRecord) -> None:
        if not locks:
            locks.append(locked(store))
            locks[-1].__enter__()

    session = StudySession(store.engine, study.study_id)
    dispatcher = Dispatcher(study, InlineEngine(small_digits(), lock), Limits(3), session, Stopping())
    began = time.monotonic()
    with pytest.raises(StorageFailedError, match=r"^the database is locked by another program "):
        dispatcher.run()
    assert time.monotonic() - began < 10
    locks[0].__exit__(None, None, None)
    session.end()
    store.close()


@pytest.mark.parametrize(
    ("pragma", "undo", "what"),
    [
        ("max_page_count=1", "max_page_count=1000000", "the disk of the database is full"),
        ("query_only=1", "query_only=0", "the database may not be written any more"),
    ],
)
def test_what_does_not_pass_ends_the_search_at_once_and_the_next_one_goes_on(
    store: Store, undisturbed: list[float | None], pragma: str, undo: str, what: str
) -> None:
    """By SQLite's own limits: it answers as with a full disk, and with a file that may not be written."""
    study, is_on = begin(store, epochs=3), [False]

    def switch(connection: Any, *_: object) -> None:
        connection.connection.driver_connection.execute(f"PRAGMA {pragma if is_on[0] else undo}")

    def fail(job: Job, record: EpochRecord) -> None:
        is_on[0] = is_on[0] or record.epoch == 2

    event.listen(store.engine, "begin", switch)
    heard = Hearing()
    with pytest.raises(StorageFailedError, match=f"^{what}"):
        run(study, InlineEngine(small_digits(), after_epoch=fail), 3, heard)
    assert heard.said == []
    is_on[0] = False
    resumed = resume_study(store, "s", {})
    run(resumed, InlineEngine(small_digits()), 3, Listener())
    assert values(resumed) == undisturbed
    assert resumed.running() == []


def test_a_search_whose_file_is_moved_away_ends_and_goes_on_once_it_is_back(
    store: Store, undisturbed: list[float | None], tmp_path: Path
) -> None:
    study, path, aside = begin(store, epochs=3), Path(str(store.url.database)), tmp_path / "elsewhere.db"

    def move(job: Job, record: EpochRecord) -> None:
        if record.epoch == 2 and not aside.exists():
            path.rename(aside)

    with pytest.raises(StorageFailedError, match=r"^the file of the database was moved or deleted \("):
        run(study, InlineEngine(small_digits(), after_epoch=move), 3, Listener())
    aside.rename(path)
    resumed = resume_study(store, "s", {})
    run(resumed, InlineEngine(small_digits()), 3, Listener())
    assert values(resumed) == undisturbed


def test_a_trial_that_was_written_twice_is_counted_once(store: Store) -> None:
    """As after a connection that was lost when all was kept, and before that was heard: nobody drives the first one."""
    study = begin(store)
    search(study, 1)

    def write_twice(job: Job, record: EpochRecord) -> None:
        if record.epoch == 1:
            mine = study.trial(job.number)
            study.optuna.add_trial(
                create_trial(
                    state=TrialState.RUNNING, params=mine.params, distributions=mine.distributions,
                    user_attrs=mine.user_attrs,
                )
            )  # fmt: skip

    search(study, 2, InlineEngine(small_digits(), after_epoch=write_twice))
    assert study.running() == []
    state = search(resume_study(store, "s", {}), 3)
    study.refresh()
    assert state.n_done == len(study.trials(Outcome.TRAINED)) == 3
    assert len(study.trials(Outcome.DUPLICATE)) == 1
    candidates = [trial.user_attrs["candidate_id"] for trial in study.trials(Outcome.TRAINED)]
    assert len(set(candidates)) == 3
