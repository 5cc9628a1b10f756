"""Batches that a session writes: all of one or nothing, once, and never after the study was lost."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState
from sqlalchemy import Dialect, event, text

from storage.epochs import epochs_of
from storage.errors import StorageFailedError, StudyLostError
from storage.sessions import StudySession
from storage.store import Store
from storage.trial_changes import TrialChanges
from tests.helpers.databases import WritingTransactions, a_batch, new_study, record

pytestmark = pytest.mark.every_database


@pytest.fixture
def study(store: Store) -> optuna.Study:
    return new_study(store)


@pytest.fixture
def session(store: Store, study: optuna.Study) -> StudySession:
    return StudySession(store.engine, study._study_id)


@pytest.fixture
def trials(study: optuna.Study) -> list[int]:
    return [study.ask()._trial_id for _ in range(2)]


def n_epochs(store: Store, trials: list[int]) -> list[int]:
    return [len(epochs_of(store.engine, trial)) for trial in trials]


def n_writes(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(text("SELECT SUM(n_writes) FROM run_sessions")).scalar_one())


def beat_at(store: Store) -> float:
    with store.engine.connect() as connection:
        return float(connection.execute(text("SELECT MAX(beat_at) FROM run_sessions")).scalar_one())


def test_a_batch_is_one_transaction_and_a_sign_of_life(store: Store, session: StudySession, trials: list[int]) -> None:
    before, transactions = beat_at(store), WritingTransactions(store)
    session.write(a_batch(trials))
    assert transactions.n == 1
    assert n_epochs(store, trials) == [1, 1]
    assert store.optuna.get_trial(trials[1]).state is TrialState.COMPLETE
    assert n_writes(store) == 1
    assert beat_at(store) > before
    session.beat()  # which is too soon after that
    session.write(TrialChanges())
    assert transactions.n == 1
    session.end()


@pytest.mark.parametrize(
    ("is_deleted", "told"),
    [
        (False, "^another process has taken this study over"),
        (True, "^somebody has deleted this study meanwhile$"),
    ],
)
def test_whoever_has_lost_the_study_writes_nothing(
    store: Store, session: StudySession, study: optuna.Study, trials: list[int], is_deleted: bool, told: str
) -> None:
    if is_deleted:
        store.optuna.delete_study(study._study_id)
    else:
        StudySession(store.engine, study._study_id, take_over=True).end()
    for write in (session.require, lambda: session.drives(1, 1), lambda: session.write(a_batch(trials))):
        with pytest.raises(StudyLostError, match=told):
            write()
    assert n_epochs(store, trials) == [0, 0]
    session.end()


def test_a_trial_that_somebody_ended_leaves_nothing_written(
    store: Store, session: StudySession, trials: list[int]
) -> None:
    store.optuna.set_trial_state_values(trials[0], TrialState.FAIL)
    batch = a_batch(trials)
    with pytest.raises(UpdateFinishedTrialError, match=r"^Trial#0 has already finished"):
        session.write(batch)
    assert (n_writes(store), n_epochs(store, trials)) == (0, [0, 0])
    assert batch.without_ended(store.engine) == [trials[0]]
    session.write(batch)
    assert (n_writes(store), n_epochs(store, trials)) == (1, [0, 1])
    session.end()


def test_whoever_takes_over_in_the_middle_of_a_batch_finds_all_of_it(
    store: Store, session: StudySession, trials: list[int], study: optuna.Study
) -> None:
    found: list[Any] = []

    def take_over() -> None:
        other = Store(str(store.url))
        owner = StudySession(other.engine, study._study_id, take_over=True)
        found.append((n_epochs(other, trials), other.optuna.get_trial(trials[1]).state))
        owner.end()
        other.close()

    thread = threading.Thread(target=take_over)

    def begin(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "n_writes=" in statement:
            thread.start()
            thread.join(0.2)
            assert thread.is_alive(), "it waits for the batch"

    event.listen(store.engine, "after_cursor_execute", begin)
    session.write(a_batch(trials))
    event.remove(store.engine, "after_cursor_execute", begin)
    thread.join()
    assert found == [([1, 1], TrialState.COMPLETE)]
    with pytest.raises(StudyLostError):
        session.require()


# In doubt


def fault_of_driver(dialect: Dialect) -> Exception:
    """A lock, or a connection that is lost, as the driver raises it."""
    error = dialect.loaded_dbapi.OperationalError
    if dialect.name != "sqlite":
        return error(2013, "Lost connection to server during query") if dialect.name == "mysql" else error("lost")
    locked = error("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY  # type: ignore[attr-defined]
    return locked


@pytest.fixture
def fail_commit(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Makes the next commit fail in the driver's hands: after it was done, or before."""
    do_commit = store.engine.dialect.do_commit

    def arm(is_done: bool) -> None:
        def commit_once(connection: Any) -> None:
            monkeypatch.setattr(store.engine.dialect, "do_commit", do_commit)
            if is_done:
                do_commit(connection)
            raise fault_of_driver(store.engine.dialect)

        monkeypatch.setattr(store.engine.dialect, "do_commit", commit_once)

    return arm


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_a_batch_whose_commit_was_not_heard_of_is_written_once(
    store: Store, session: StudySession, trials: list[int], fail_commit: Callable[[bool], None], is_done: bool
) -> None:
    batch = a_batch(trials)
    fail_commit(is_done)
    with pytest.raises(StorageFailedError):
        session.write(batch)
    assert n_epochs(store, trials) == [int(is_done)] * 2
    session.write(batch)
    assert (n_epochs(store, trials), n_writes(store)) == ([1, 1], 1)
    assert store.optuna.get_trial(trials[1]).state is TrialState.COMPLETE
    session.write(another(trials[0]))
    assert n_writes(store) == 2
    session.end()


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_another_batch_after_one_in_doubt_is_written_itself(
    store: Store, session: StudySession, trials: list[int], fail_commit: Callable[[bool], None], is_done: bool
) -> None:
    fail_commit(is_done)
    with pytest.raises(StorageFailedError):
        session.write(a_batch(trials))
    second = another(trials[0])
    fail_commit(True)
    with pytest.raises(StorageFailedError):  # when it asks what became of the first
        session.write(second)
    fail_commit_of_second = n_epochs(store, trials)
    session.write(second)
    assert fail_commit_of_second == [int(is_done)] * 2
    assert (n_epochs(store, trials), n_writes(store)) == ([1 + is_done, int(is_done)], 1 + is_done)
    session.end()


def test_a_study_that_is_lost_while_a_batch_is_in_doubt(
    store: Store, session: StudySession, trials: list[int], fail_commit: Callable[[bool], None], study: optuna.Study
) -> None:
    batch = a_batch(trials)
    fail_commit(False)
    with pytest.raises(StorageFailedError):
        session.write(batch)
    owner = StudySession(store.engine, study._study_id, take_over=True)
    with pytest.raises(StudyLostError, match="another process has taken this study over"):
        session.write(batch)
    assert n_epochs(store, trials) == [0, 0]
    owner.end()


def another(trial: int) -> TrialChanges:
    changes = TrialChanges()
    changes.epoch(trial, record(2))
    return changes
