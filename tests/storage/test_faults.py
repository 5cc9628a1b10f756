"""Faults of a database in the middle of work: real ones of SQLite, and the words of the other two."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from storage import fault_kinds
from storage.errors import StorageError, StorageFailedError
from storage.fault_kinds import FaultKind, kind_of_fault
from storage.faults import disk_fault, disk_faults, tell_faults
from storage.sessions import StudySession
from storage.store import Store
from tests.helpers.databases import add_epoch, new_study, new_trial, record, url_of


@pytest.fixture
def impatient(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The same database for one who waits for locks for a moment only."""
    monkeypatch.setattr("storage.urls.BUSY_TIMEOUT_SECONDS", 0.05)
    opened = Store(url_of(tmp_path / "s.db"))
    yield opened
    opened.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Meanwhile another program writes."""
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.rollback()
        other.close()


def failed(action: Callable[[], Any]) -> StorageFailedError:
    with pytest.raises(StorageFailedError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_lock_is_told_in_one_line_and_passes(impatient: Store, tmp_path: Path) -> None:
    trial = new_trial(impatient)
    with locked(tmp_path / "s.db"):
        error = failed(lambda: add_epoch(impatient.engine, trial, record(1)))
    assert str(error) == (
        f"the database is locked by another program (sqlite:///{tmp_path}/s.db: database is locked): "
        "end that program; the same command goes on"
    )
    assert error.passes
    assert isinstance(error, StorageError)
    add_epoch(impatient.engine, trial, record(1))


def test_a_lock_at_the_opening_is_no_fault_of_whoever_opens(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.engine.dispose()
    monkeypatch.setattr("storage.urls.BUSY_TIMEOUT_SECONDS", 0.05)
    with locked(tmp_path / "s.db"):
        error = failed(lambda: Store(url_of(tmp_path / "s.db")))
    assert str(error).startswith("the database is locked by another program (sqlite:///")
    assert error.passes


def test_optuna_s_storage_hands_a_fault_on_at_once_and_works_again(impatient: Store, tmp_path: Path) -> None:
    """It tries five times what it takes for a fault of its own, each time with the database's whole patience."""
    study = new_study(impatient)
    trial, n_begun = study.ask(), [0]

    def count(*_: object) -> None:
        n_begun[0] += 1

    event.listen(impatient.engine, "begin", count)
    for action in (
        study.ask,
        lambda: study.set_user_attr("a", 1),
        lambda: impatient.optuna.set_trial_state_values(trial._trial_id, TrialState.FAIL),
    ):
        n_begun[0] = 0
        with locked(tmp_path / "s.db"):
            assert failed(action).passes
        assert n_begun[0] <= 2
        action()
    assert study.user_attrs == {"a": 1}
    assert [trial.state for trial in study.get_trials()] == [TrialState.FAIL, TrialState.RUNNING]


@contextmanager
def on_every_connection(opened: Store, pragma: str) -> Iterator[None]:
    """Meanwhile SQLite itself behaves so."""

    def begin(connection: Any) -> None:
        connection.exec_driver_sql(pragma)

    event.listen(opened.engine, "begin", begin)
    yield
    event.remove(opened.engine, "begin", begin)
    opened.engine.dispose()


def test_a_full_disk_does_not_pass_and_what_was_written_stays(store: Store, tmp_path: Path) -> None:
    trial = new_trial(store)
    add_epoch(store.engine, trial, record(1))

    def fill() -> None:
        for key in range(100):
            store.optuna.set_trial_user_attr(trial, str(key), "x" * 2000)

    with on_every_connection(store, "PRAGMA max_page_count=1"):
        error = failed(fill)
    assert str(error).startswith(
        f"the disk of the database is full (sqlite:///{tmp_path}/s.db: database or disk is full): make room on it; "
    )
    assert not error.passes
    fill()


def test_a_database_that_becomes_read_only(store: Store) -> None:
    trial = new_trial(store)
    with on_every_connection(store, "PRAGMA query_only=ON"):
        error = failed(lambda: add_epoch(store.engine, trial, record(1)))
    assert str(error).startswith("the database may not be written any more (")
    assert ": attempt to write a readonly database): let it be written again; the same" in str(error)
    assert not error.passes


def test_a_damaged_file(store: Store, tmp_path: Path) -> None:
    new_study(store)
    store.engine.dispose()
    with (tmp_path / "s.db").open("r+b") as file:
        file.seek(100)
        file.write(b"nonsense" * 20_000)
    error = failed(store.optuna.get_all_studies)
    assert str(error).startswith("the database is damaged (")
    assert str(error).endswith(": database disk image is malformed): put back a copy of it; the same command goes on")
    assert not error.passes


@pytest.mark.parametrize("becomes", ["moved", "replaced"])
def test_a_file_that_loses_its_name_is_not_written_and_may_be_put_back(
    becomes: str, store: Store, tmp_path: Path
) -> None:
    path, aside, trial = tmp_path / "s.db", tmp_path / "aside.db", new_trial(store)
    add_epoch(store.engine, trial, record(1))
    os.link(path, aside)
    path.unlink()
    if becomes == "replaced":
        path.write_bytes(b"another file")

    error = failed(lambda: add_epoch(store.engine, trial, record(2)))
    assert str(error) == (
        f"the file of the database was moved or deleted (sqlite:///{path}): put it back; the same command goes on"
    )
    assert not error.passes

    aside.replace(path)
    add_epoch(store.engine, trial, record(2))
    with store.engine.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM epoch_records")) == 2


def test_a_password_is_not_told(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/none/s.db")
    url = engine.url.set(
        drivername="postgresql", host="h", username="me", password="secret", database="d", query={"password": "secret"}
    )
    tell_faults(engine, url)
    error = failed(engine.connect)
    assert "(postgresql://me:***@h/d: unable to open database file)" in str(error)


# What is no fault of a database


def test_errors_of_statements_stay_what_they_are(store: Store, study_id: int) -> None:
    wrong = {
        "SELECT nothing FROM trials": OperationalError,
        "SELECT * FROM nowhere": OperationalError,
        "INSERT INTO studies (study_id, study_name) VALUES (1, 'again')": IntegrityError,
        f"SELECT {' + '.join(['1'] * 40_000)}": OperationalError,
    }
    for statement, error in wrong.items():
        with pytest.raises(error), store.engine.connect() as connection:
            connection.execute(text(statement))


def test_optuna_still_hears_of_too_many_variables(store: Store) -> None:
    """It falls back on a slower way where a statement is too long for SQLite: that must reach it as it was."""
    study = new_study(store)
    for _ in range(3):
        study.ask()

    def fewer(connection: sqlite3.Connection, _record: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 3)

    event.listen(store.engine, "connect", fewer)
    store.engine.dispose()
    found = store.optuna._get_trials(study._study_id, None, {1, 2, 3}, 0)
    assert len(found) == 3


def test_an_interruption_is_no_fault(store: Store) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    event.listen(store.engine, "before_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.optuna.get_all_studies()


def test_sessions_and_orm_flushes_hand_it_on_too(impatient: Store, tmp_path: Path) -> None:
    study_id = new_study(impatient)._study_id
    with locked(tmp_path / "s.db"):
        assert failed(lambda: StudySession(impatient.engine, study_id)).passes
    session = StudySession(impatient.engine, study_id)
    with locked(tmp_path / "s.db"):
        assert failed(session.require).passes
        session.end()  # which leaves it to be seen
    with Session(impatient.engine) as rows:
        assert rows.execute(text("SELECT open FROM run_sessions")).all() == [(1,)]
    StudySession(impatient.engine, study_id).end()


# The words of the other two


class DriverError(Exception):
    """What a driver raises, as far as it is looked at."""

    def __init__(self, *args: Any, sqlstate: str | None = None) -> None:
        super().__init__(*args)
        self.sqlstate = sqlstate


DriverError.__name__ = "OperationalError"


@pytest.mark.parametrize(
    ("dialect", "error", "kind"),
    [
        ("postgresql", DriverError("terminating connection", sqlstate="57P01"), fault_kinds.AWAY),
        ("postgresql", DriverError("x", sqlstate="08006"), fault_kinds.AWAY),
        ("postgresql", DriverError("deadlock detected", sqlstate="40P01"), fault_kinds.CROSSED),
        ("postgresql", DriverError("could not serialize", sqlstate="40001"), fault_kinds.CROSSED),
        ("postgresql", DriverError("No space left on device", sqlstate="53100"), fault_kinds.FULL),
        ("postgresql", DriverError("too many", sqlstate="53300"), fault_kinds.CROWDED),
        ("postgresql", DriverError("read-only transaction", sqlstate="25006"), fault_kinds.READ_ONLY),
        ("postgresql", DriverError("permission denied for table", sqlstate="42501"), fault_kinds.REFUSED),
        ("postgresql", DriverError("statement timeout", sqlstate="57014"), fault_kinds.LOCKED),
        ("postgresql", DriverError("undefined table", sqlstate="42P01"), None),
        ("postgresql", DriverError("numeric value out of range", sqlstate="22003"), None),
        ("postgresql", DriverError("connection failed: FATAL:  the database system is starting up"), fault_kinds.AWAY),
        ("postgresql", DriverError("connection failed: FATAL:  sorry, too many clients already"), fault_kinds.CROWDED),
        ("postgresql", DriverError('FATAL:  password authentication failed for user "me"'), fault_kinds.REFUSED),
        ("postgresql", DriverError('failed: FATAL:  database "d" does not exist'), fault_kinds.REFUSED),
        ("mysql", DriverError(2003, "Can't connect to MySQL server on 'h'"), fault_kinds.AWAY),
        ("mariadb", DriverError(2013, "Lost connection to MySQL server during query"), fault_kinds.AWAY),
        ("mysql", DriverError(1213, "Deadlock found when trying to get lock"), fault_kinds.CROSSED),
        ("mysql", DriverError(1205, "Lock wait timeout exceeded"), fault_kinds.LOCKED),
        ("mysql", DriverError(1040, "Too many connections"), fault_kinds.CROWDED),
        ("mysql", DriverError(1030, 'Got error 28 "No space left on device" from storage engine'), fault_kinds.FULL),
        ("mysql", DriverError(1290, "running with the --read-only option"), fault_kinds.READ_ONLY),
        ("mysql", DriverError(1045, "Access denied for user"), fault_kinds.REFUSED),
        ("mysql", DriverError(1146, "Table doesn't exist"), None),
        ("mysql", DriverError(1406, "Data too long for column"), None),
        ("mysql", DriverError("no number"), None),
        ("mysql", DriverError(), None),
        ("oracle", DriverError("ORA-1"), None),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_servers_tell_by_numbers(dialect: str, error: DriverError, kind: FaultKind | None) -> None:
    assert kind_of_fault(error, dialect, is_disconnect=False) == kind
    assert kind_of_fault(error, dialect, is_disconnect=True) == (kind or fault_kinds.AWAY)


def test_what_passes_and_what_does_not() -> None:
    kinds = [kind for kind in vars(fault_kinds).values() if isinstance(kind, FaultKind)]
    passing = [fault_kinds.LOCKED, fault_kinds.AWAY, fault_kinds.CROWDED, fault_kinds.CROSSED]
    assert [kind for kind in kinds if kind.passes] == passing
    assert len(kinds) > len(passing)


# Files


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "the disk is full (/a/b: No space left on device): make room on it; the same command goes on"),
        (errno.EDQUOT, "the disk has no more room for this user (/a/b: Disk quota exceeded): make room on it; "),
        (errno.EROFS, "the disk may not be written (/a/b: Read-only file system): let it be written again; "),
        (errno.EIO, "the disk fails (/a/b: Input/output error): see that it is well; the same command goes on"),
    ],
)
def test_a_disk_that_fails(number: int, told: str) -> None:
    error = disk_fault(OSError(number, "whatever", "/a/b"))
    assert error is not None
    assert str(error).startswith(told)
    assert not error.passes


def test_a_full_disk_for_real() -> None:
    with pytest.raises(StorageFailedError, match=r"^the disk is full \(weights: No space left"), disk_faults("weights"):
        Path("/dev/full").write_bytes(b"x" * 100_000)


def test_other_errors_of_files_stay(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk_faults(tmp_path):
        (tmp_path / "none").read_bytes()
    assert disk_fault(PermissionError(errno.EACCES, "no")) is None
