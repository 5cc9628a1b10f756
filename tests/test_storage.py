"""The database: how it is opened, what is refused, and what two processes may do to each other."""

import hashlib
import multiprocessing
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import event, insert, text, update
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql import ClauseElement

from storage import sessions
from storage.epochs import add_epoch, core_seconds_of, epochs_of, n_epochs_of
from storage.errors import StorageError, StudyBusyError
from storage.schema import VERSION
from storage.sessions import StudySession, active_seconds, is_open
from storage.store import ARTIFACT_FOLDER, BUSY_TIMEOUT_SECONDS, Store
from storage.tables import SchemaVersion, SessionRow
from storage.verifications import (
    Verification,
    add_verification_run,
    begin_verification,
    end_verification,
    verification_runs_of,
    verifications_of,
)

FIELDS = ("epoch", "train_loss", "train_accuracy", "eval_loss", "eval_accuracy", "lr", "seconds", "core_seconds")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with all tables and nothing in them: Optuna takes a third of a second to make one."""
    path = tmp_path_factory.mktemp("empty") / "s.db"
    Store(url_of(path)).close()
    return path.read_bytes()


@pytest.fixture
def store(tmp_path: Path, empty: bytes) -> Iterator[Store]:
    (tmp_path / "s.db").write_bytes(empty)
    opened = Store(url_of(tmp_path / "s.db"))
    yield opened
    opened.close()


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def new_study(store: Store, name: str = "study") -> optuna.Study:
    return optuna.create_study(study_name=name, storage=store.optuna, direction="maximize")


def new_trial(store: Store) -> int:
    """The number in the database of a new trial of a new study."""
    return new_study(store, f"study {time.monotonic_ns()}").ask()._trial_id


def record(epoch: int, **changes: float) -> dict[str, Any]:
    """An epoch with values of its own, none of which is a short decimal."""
    values = {name: (epoch + i) / 7 for i, name in enumerate(FIELDS)}
    return {**values, **changes, "epoch": epoch}


def refusal(url: str, must_exist: bool = False) -> str:
    with pytest.raises(StorageError) as caught:
        Store(url, must_exist)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# How it is opened


def pragmas(connection: sqlite3.Connection) -> dict[str, Any]:
    names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
    return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


WANTED = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 60_000, "synchronous": 1}


def test_every_connection_is_set_up(store: Store) -> None:
    assert BUSY_TIMEOUT_SECONDS == 60
    seen: list[dict[str, Any]] = []

    def look() -> None:
        with store.engine.connect() as outer, store.engine.connect() as inner:
            for connection in (outer, inner):
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                seen.append(pragmas(driver))

    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [WANTED] * 4


def test_optunas_own_session_is_set_up_too(store: Store) -> None:
    new_study(store)
    session = store.optuna.scoped_session()
    values = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in WANTED}
    store.optuna.remove_session()
    assert values == WANTED


def test_the_second_opening_is_like_the_first(tmp_path: Path, store: Store) -> None:
    new_study(store, "kept")
    again = Store(url_of(tmp_path / "s.db"), must_exist=True)
    assert [study.study_name for study in again.optuna.get_all_studies()] == ["kept"]
    with again.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        assert pragmas(driver) == WANTED
    again.close()


def test_our_tables_stand_beside_optunas(tmp_path: Path, store: Store) -> None:
    with sqlite3.connect(tmp_path / "s.db") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        versions = connection.execute("SELECT version FROM mnist_search_schema").fetchall()
    connection.close()
    assert {"studies", "trials", "epoch_records", "run_sessions", "mnist_search_schema"} <= tables
    assert versions == [(VERSION,)]


def test_artifacts_lie_beside_the_database(tmp_path: Path, store: Store) -> None:
    assert store.folder == tmp_path
    assert store.artifact_folder == tmp_path / ARTIFACT_FOLDER == tmp_path / "mnist-search-artifacts"
    assert not store.artifact_folder.exists()
    for _ in range(2):
        store.artifacts()
    assert list(store.artifact_folder.iterdir()) == []


def test_a_relative_url_lies_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite:///here.db")
    assert store.folder == tmp_path
    assert (tmp_path / "here.db").is_file()
    store.close()


# What is refused


@pytest.mark.parametrize("url", ["nonsense", "", "my.db", "foo://x/y", "sqlite+foo:///x.db", "postgresql://u@h:port/x"])
def test_a_malformed_url(url: str) -> None:
    assert refusal(url) == f"{url!r} is not a storage URL: write sqlite:///FILE.db, or a PostgreSQL or MySQL URL"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_url_without_a_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(url) == f"{url!r} names no file: write sqlite:///FILE.db"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    for must_exist in (False, True):
        assert refusal(url_of(folder / "s.db"), must_exist) == (
            f"the folder {folder} does not exist: make it, or name another with --storage"
        )
    assert not folder.exists()


def test_a_folder_that_cannot_be_written() -> None:
    assert refusal("sqlite:////proc/s.db") == (
        "/proc/s.db cannot be written: unable to open database file; name another with --storage"
    )


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert refusal(url_of(tmp_path)) == (
        f"{tmp_path} cannot be written: unable to open database file; name another with --storage"
    )


@pytest.mark.parametrize("content", [b"accuracy: 0.994\n", b"\0" * 5000, b"SQLite format 3\0 but no more"])
def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert refusal(url_of(path)) == (f"{path} cannot be written: file is not a database; name another with --storage")
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


AS_ANOTHER_USER = """
import os, sys
import sqlalchemy.dialects.sqlite.pysqlite  # while it may still be read
from storage.errors import StorageError
from storage.store import Store
os.setgid(65534)
os.setuid(65534)
for url in sys.argv[1:]:
    try:
        Store(url)
    except StorageError as error:
        print(error)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others may look into, which pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root may become another user")
def test_what_another_user_may_not_write(open_folder: Path) -> None:
    """A file and folders of ours, as seen by `nobody`; root itself may write everywhere."""
    Store(url_of(open_folder / "ours.db")).close()
    hidden = open_folder / "hidden"
    hidden.mkdir(0o700)
    shared = open_folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    Store(url_of(shared / "ours.db")).close()  # here SQLite can make its side files, and finds out late
    paths = [
        *(open_folder / "ours.db", open_folder / "new.db", hidden / "s.db", hidden / "deep" / "s.db"),
        shared / "ours.db",
    ]
    other = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER_USER, *map(url_of, paths)], capture_output=True, text=True, check=True
    )
    cannot = "cannot be written: {}; name another with --storage"
    assert other.stdout.splitlines() == [
        f"{paths[0]} " + cannot.format("attempt to write a readonly database"),
        f"{paths[1]} " + cannot.format("unable to open database file"),
        f"{paths[2]} " + cannot.format("unable to open database file"),
        f"the folder {hidden / 'deep'} does not exist: make it, or name another with --storage",
        f"{paths[4]} " + cannot.format("attempt to write a readonly database"),
    ]
    assert sorted(open_folder.iterdir()) == [hidden, open_folder / "ours.db", shared]


def test_nothing_is_stored_yet(tmp_path: Path) -> None:
    url = url_of(tmp_path / "s.db")
    assert refusal(url, must_exist=True) == (
        f"nothing is stored at {url} yet: run `mnist-search run` first, or name --storage"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_not_shown() -> None:
    shown = refusal("postgresql+pg8000://me:secret@localhost/x")
    assert shown.startswith("postgresql+pg8000://me:***@localhost/x needs a driver that is not installed: ")


def test_tables_of_a_newer_program(tmp_path: Path, store: Store) -> None:
    with Session(store.engine) as session, session.begin():
        session.execute(update(SchemaVersion).values(version=VERSION + 1))
    assert refusal(url_of(tmp_path / "s.db")) == (
        f"the database is of schema version {VERSION + 1}, this program knows {VERSION}: update mnist-search"
    )


def test_tables_of_another_optuna(tmp_path: Path, store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v9.9.9'"))
    shown = refusal(url_of(tmp_path / "s.db"))
    assert shown.startswith(f"{url_of(tmp_path / 's.db')} cannot be opened: ")


def test_a_creation_that_was_cut_short_is_completed(tmp_path: Path, store: Store) -> None:
    """As after a kill between making the tables and noting their version."""
    with store.engine.begin() as connection:
        connection.execute(text("DELETE FROM mnist_search_schema"))
        connection.execute(text("DROP TABLE run_sessions"))
    again = Store(url_of(tmp_path / "s.db"))
    assert active_seconds(again.engine, 1) == 0
    with Session(again.engine) as session:
        assert session.query(SchemaVersion.version).all() == [(VERSION,)]
    again.close()


def test_tables_of_an_older_program_are_upgraded_with_what_they_hold(tmp_path: Path, store: Store) -> None:
    """As version 2 made them: no verifications, and epochs whose core-seconds nobody measured."""
    trial = new_trial(store)
    add_epoch(store.engine, trial, record(1))
    with store.engine.begin() as connection:
        connection.execute(text("DROP TABLE verification_runs"))
        connection.execute(text("DROP TABLE verifications"))
        connection.execute(text("ALTER TABLE epoch_records DROP COLUMN core_seconds"))
        connection.execute(text("UPDATE mnist_search_schema SET version = 2"))
    store.close()
    upgraded = Store(url_of(tmp_path / "s.db"))
    assert epochs_of(upgraded.engine, trial) == [record(1) | {"core_seconds": None}]
    add_epoch(upgraded.engine, trial, record(2))
    assert epochs_of(upgraded.engine, trial)[1] == record(2)
    assert verifications_of(upgraded.engine, "study") == []
    with Session(upgraded.engine) as session:
        assert session.query(SchemaVersion.version).all() == [(VERSION,)]
    upgraded.close()


def test_epochs_of_a_study_add_up(store: Store) -> None:
    study = new_study(store)
    trials = [study.ask()._trial_id for _ in range(2)]
    other = new_trial(store)
    assert (n_epochs_of(store.engine, study._study_id), core_seconds_of(store.engine, study._study_id)) == (0, 0.0)
    for trial, epoch in ((trials[0], 1), (trials[0], 2), (trials[1], 1), (other, 1)):
        add_epoch(store.engine, trial, record(epoch, core_seconds=1.5))
    assert (n_epochs_of(store.engine, study._study_id), core_seconds_of(store.engine, study._study_id)) == (3, 4.5)


def test_a_verification_comes_back_as_it_was(store: Store) -> None:
    asked = Verification("abc", "trial 3", "digits", "study", 3, 20, 12.5, 20.5)
    number = begin_verification(store.engine, asked)
    assert verifications_of(store.engine, "study") == [asked]
    end_verification(store.engine, number, 7.5, 6.5, None)  # stopped: it took its time, and says nothing
    assert verifications_of(store.engine, "study") == [replace(asked, seconds=7.5, core_seconds=6.5)]
    end_verification(store.engine, number, 8.5, 7.0, {"verified": True})
    [done] = verifications_of(store.engine, "study")
    assert done == replace(asked, seconds=8.5, core_seconds=7.0, summary={"verified": True})
    assert verifications_of(store.engine, "other") == []


def test_a_seed_is_kept_once(store: Store) -> None:
    """Two processes that verify one candidate may both train a seed; the first one's training stays."""
    facts = {"candidate": "abc", "dataset": "digits", "split": "test", "seed": 2**32 - 1}
    for name in ("first", "second"):
        add_verification_run(store.engine, {**facts, "name": name})
    add_verification_run(store.engine, {**facts, "split": "holdout", "name": "race"})
    assert [run["name"] for run in verification_runs_of(store.engine, "abc")] == ["first"]
    assert [run["name"] for run in verification_runs_of(store.engine, "abc", "digits", "holdout")] == ["race"]
    assert verification_runs_of(store.engine, "abc", "mnist") == []
    assert verification_runs_of(store.engine, "abc", seeds=[1]) == []


def open_at_once(urls: list[str], barrier: Any, answers: Any) -> None:
    for url in urls:
        barrier.wait()
        try:
            Store(url).close()
        except Exception as error:
            answers.put(f"{type(error).__name__}: {error}")
        else:
            answers.put("opened")


def test_processes_that_begin_a_database_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    urls = [url_of(tmp_path / f"{number}.db") for number in range(4)]
    barrier, answers = context.Barrier(3), context.Queue()
    processes = [context.Process(target=open_at_once, args=(urls, barrier, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [answers.get(timeout=60) for _ in range(3 * len(urls))] == ["opened"] * 3 * len(urls)
    for process in processes:
        process.join()
    for url in urls:
        store = Store(url, must_exist=True)
        with Session(store.engine) as session:
            assert session.query(SchemaVersion.version).all() == [(VERSION,)]
        store.close()


# Epochs


def test_epochs_come_back_as_they_were(store: Store) -> None:
    trial = new_trial(store)
    for epoch in (2, 10, 1):
        add_epoch(store.engine, trial, record(epoch))
    assert epochs_of(store.engine, trial) == [record(1), record(2), record(10)]  # to the last bit, by number
    assert epochs_of(store.engine, trial + 1) == []


def test_a_second_record_takes_the_place_of_the_first(store: Store) -> None:
    trial = new_trial(store)
    add_epoch(store.engine, trial, record(1))
    add_epoch(store.engine, trial, record(1, eval_accuracy=0.25))
    assert epochs_of(store.engine, trial) == [record(1, eval_accuracy=0.25)]


def test_trials_keep_their_own_epochs(store: Store) -> None:
    first, second, third = (new_trial(store) for _ in range(3))
    for epoch in (1, 2):
        add_epoch(store.engine, first, record(epoch))
    add_epoch(store.engine, second, record(1, lr=0.5))
    assert epochs_of(store.engine, second) == [record(1, lr=0.5)]
    assert [r["epoch"] for r in epochs_of(store.engine, first)] == [1, 2]
    assert epochs_of(store.engine, third) == []


@pytest.mark.parametrize("field", FIELDS)
def test_a_record_must_be_whole(store: Store, field: str) -> None:
    trial = new_trial(store)
    whole = record(1)
    del whole[field]
    with pytest.raises(KeyError, match=field):
        add_epoch(store.engine, trial, whole)
    assert epochs_of(store.engine, trial) == []


def test_no_epochs_of_a_trial_that_is_not_there(store: Store) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY constraint failed"):
        add_epoch(store.engine, 99, record(1))


def test_a_deleted_study_takes_its_epochs_and_sessions_along(store: Store) -> None:
    doomed, kept = new_study(store, "doomed"), new_study(store, "kept")
    trials = [study.ask()._trial_id for study in (doomed, kept)]
    for study, trial in zip((doomed, kept), trials, strict=True):
        add_epoch(store.engine, trial, record(1))
        StudySession(store.engine, study._study_id).end()
    optuna.delete_study(study_name="doomed", storage=store.optuna)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT trial_id FROM epoch_records")).all() == [(trials[1],)]
        assert connection.execute(text("SELECT study_id FROM run_sessions")).all() == [(kept._study_id,)]
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


# Sessions


@pytest.fixture
def study_id(store: Store) -> int:
    return new_study(store)._study_id


def put_session(store: Store, study_id: int, **changes: Any) -> None:
    """An open session of a dispatcher that is not this process."""
    row = {"study_id": study_id, "host": "elsewhere", "pid": 1, "started_at": 0.0, "beat_at": time.time(), "open": 1}
    with Session(store.engine) as session, session.begin():
        session.execute(insert(SessionRow).values(**{**row, **changes}))


def rows(store: Store) -> list[tuple[str, int, int | None]]:
    with store.engine.connect() as connection:
        found = connection.execute(text("SELECT host, pid, open FROM run_sessions ORDER BY session_id"))
        return [(host, pid, is_open) for host, pid, is_open in found]


def busy(store: Store, study_id: int) -> str:
    with pytest.raises(StudyBusyError) as caught:
        StudySession(store.engine, study_id)
    return str(caught.value)


def test_a_second_dispatcher_is_refused_with_the_owner(store: Store, study_id: int) -> None:
    first = StudySession(store.engine, study_id)
    assert is_open(store.engine, study_id)
    assert busy(store, study_id) == (
        f"process {os.getpid()} on {socket.gethostname()} works on this study (last sign of life 0 s ago): "
        "stop it first, or name another study with --study"
    )
    first.end()
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()
    assert rows(store) == [(socket.gethostname(), os.getpid(), None)] * 2


def test_another_study_is_free(store: Store, study_id: int) -> None:
    other = new_study(store, "other")._study_id
    first = StudySession(store.engine, study_id)
    assert not is_open(store.engine, other)
    second = StudySession(store.engine, other)
    first.end()
    assert is_open(store.engine, other)
    second.end()


def dead_pid() -> int:
    """The number of a process that has just ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_a_dead_owner_is_taken_over_at_once(store: Store, study_id: int) -> None:
    pid = dead_pid()
    put_session(store, study_id, host=socket.gethostname(), pid=pid)
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()
    assert rows(store) == [(socket.gethostname(), pid, None), (socket.gethostname(), os.getpid(), None)]


def test_a_living_owner_on_this_host_is_not(store: Store, study_id: int) -> None:
    owner = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        put_session(store, study_id, host=socket.gethostname(), pid=owner.pid, beat_at=time.time() - 42)
        assert re.fullmatch(
            rf"process {owner.pid} on {re.escape(socket.gethostname())} works on this study "
            r"\(last sign of life 4[23] s ago\): stop it first, or name another study with --study",
            busy(store, study_id),
        )
    finally:
        owner.communicate(b"\n")
    StudySession(store.engine, study_id).end()


@pytest.mark.parametrize("host", ["elsewhere", socket.gethostname()])
def test_an_owner_is_dead_after_two_minutes_of_silence(store: Store, study_id: int, host: str) -> None:
    """Elsewhere only time can tell; here the number may by now be another process's, such as that of our parent."""
    put_session(store, study_id, host=host, pid=os.getppid(), beat_at=time.time() - 110)
    assert is_open(store.engine, study_id)
    assert f"process {os.getppid()} on {host} works on this study (last sign of life 11" in busy(store, study_id)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE run_sessions SET beat_at = :t"), {"t": time.time() - 121})
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()


def test_an_owner_of_our_own_number_was_an_earlier_process(store: Store, study_id: int) -> None:
    """In a container each run may be process 1, on a host of the same name."""
    put_session(store, study_id, host=socket.gethostname(), pid=os.getpid(), started_at=time.time() - 86_400)
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()


def test_a_clock_that_is_ahead_elsewhere(store: Store, study_id: int) -> None:
    put_session(store, study_id, beat_at=time.time() + 1000)
    assert busy(store, study_id) == (
        "process 1 on elsewhere works on this study (last sign of life 0 s ago): "
        "stop it first, or name another study with --study"
    )


def test_whoever_was_taken_over_learns_it_at_the_next_beat(
    store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = StudySession(store.engine, study_id)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE run_sessions SET beat_at = :t"), {"t": time.time() - 1000})
    owner = StudySession(store.engine, study_id)
    monkeypatch.setattr(sessions, "BEAT_SECONDS", 0.0)
    with pytest.raises(StudyBusyError) as caught:
        stopped.beat()
    assert str(caught.value) == "another process has taken this study over, since this one stood still too long"
    stopped.end()  # which must not end the other's
    assert is_open(store.engine, study_id)
    owner.beat()
    owner.end()


def test_of_two_that_begin_at_once_one_is_refused(store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looking and opening another one opens: the database decides."""
    monkeypatch.setattr(StudySession, "_close_stale", lambda _self: put_session(store, study_id))
    assert busy(store, study_id) == "another process has just begun to work on this study: wait for it"
    assert rows(store) == [("elsewhere", 1, 1)]


def beat_at(store: Store) -> float:
    with store.engine.connect() as connection:
        return float(connection.execute(text("SELECT beat_at FROM run_sessions WHERE open = 1")).scalar_one())


def test_a_beat_is_written_every_five_seconds(store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sessions.BEAT_SECONDS == 5
    session = StudySession(store.engine, study_id)
    begun = beat_at(store)
    session.beat()
    assert beat_at(store) == begun  # too soon
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 5)
    session.beat()
    second = beat_at(store)
    assert second > begun
    monkeypatch.setattr(time, "monotonic", lambda: now + 9.9)
    session.beat()
    assert beat_at(store) == second
    monkeypatch.undo()
    session.end()


def test_active_seconds_add_up(store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert active_seconds(store.engine, study_id) == 0
    put_session(store, study_id, started_at=1000.0, beat_at=1030.0, open=None)
    put_session(store, study_id, started_at=2000.0, beat_at=2012.5, open=None)
    put_session(store, new_study(store, "other")._study_id, started_at=0.0, beat_at=500.0, open=None)
    assert active_seconds(store.engine, study_id) == 42.5
    wall, steady = time.time(), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: wall)
    monkeypatch.setattr(time, "monotonic", lambda: steady)
    session = StudySession(store.engine, study_id)
    assert session.active_seconds == 42.5
    wall, steady = wall + 7.5, steady + 7.5
    assert session.active_seconds == 50
    session.beat()
    assert active_seconds(store.engine, study_id) == pytest.approx(50)
    wall, steady = wall + 2, steady + 2
    session.end()
    assert active_seconds(store.engine, study_id) == pytest.approx(52)
    assert StudySession(store.engine, study_id).active_seconds == pytest.approx(52)


def test_a_killed_session_counts_to_its_last_sign_of_life(store: Store, study_id: int) -> None:
    put_session(store, study_id, started_at=1000.0, beat_at=1030.0)
    session = StudySession(store.engine, study_id)
    assert 30 <= session.active_seconds < 31
    session.end()


# Other databases, and many processes


@pytest.mark.parametrize("dialect", [mysql.dialect(), postgresql.dialect()], ids=["mysql", "postgresql"])
def test_our_statements_are_said_in_every_dialect(store: Store, study_id: int, dialect: Any) -> None:
    """No server is at hand: what we execute is compiled, and MySQL has no RETURNING."""
    said: list[str] = []

    def note(_connection: object, statement: object, *_: object) -> None:
        if isinstance(statement, ClauseElement):
            said.append(str(statement.compile(dialect=dialect)))

    event.listen(store.engine, "before_execute", note)
    trial = new_trial(store)
    said.clear()
    session = StudySession(store.engine, study_id)
    session._update(beat_at=time.time())
    session.end()
    for epoch in (1, 2):
        add_epoch(store.engine, trial, record(epoch))
    epochs_of(store.engine, trial)
    active_seconds(store.engine, study_id)
    is_open(store.engine, study_id)
    event.remove(store.engine, "before_execute", note)
    assert {"INSERT", "SELECT", "UPDATE"} == {statement.split()[0] for statement in said}
    assert not [statement for statement in said if "RETURNING" in statement]


READER = """
import sys
from storage.epochs import epochs_of
from storage.store import Store
url, trial = sys.argv[1], int(sys.argv[2])
store = Store(url, must_exist=True)
print("ready", flush=True)
seen = []
while not seen or seen[-1] < 150:
    epochs = [record["epoch"] for record in epochs_of(store.engine, trial)]
    assert epochs == list(range(1, len(epochs) + 1))  # whole epochs, none missing
    seen.append(len(epochs))
    store.optuna.get_all_studies()
assert seen == sorted(seen)
print(len(set(seen)))
"""


def test_many_readers_while_one_writes(tmp_path: Path, store: Store) -> None:
    trial = new_trial(store)
    command = [sys.executable, "-c", READER, url_of(tmp_path / "s.db"), str(trial)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        for epoch in range(1, 151):
            add_epoch(store.engine, trial, record(epoch))
        n_states = [int(reader.communicate(timeout=60)[0]) for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
    assert [reader.returncode for reader in readers] == [0, 0, 0]
    assert min(n_states) > 1  # they did look while it was written
    with sqlite3.connect(tmp_path / "s.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_writers_wait_for_each_other(tmp_path: Path, store: Store) -> None:
    """Another writer holds the database for a while; ours waits instead of failing."""
    trial = new_trial(store)
    other = sqlite3.connect(tmp_path / "s.db", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.7, other.rollback)
    release.start()
    start = time.monotonic()
    add_epoch(store.engine, trial, record(1))
    assert time.monotonic() - start > 0.5
    release.join()
    other.close()
    assert epochs_of(store.engine, trial) == [record(1)]


def test_a_closed_store_leaves_one_whole_file(tmp_path: Path) -> None:
    """Copied without its side files, as people copy databases, it holds everything."""
    store = Store(url_of(tmp_path / "s.db"))
    trial = new_trial(store)
    add_epoch(store.engine, trial, record(1))
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]
    digest = hashlib.sha256((tmp_path / "s.db").read_bytes()).digest()
    copy = tmp_path / "copy.db"
    copy.write_bytes((tmp_path / "s.db").read_bytes())
    copied = Store(url_of(copy), must_exist=True)
    assert epochs_of(copied.engine, trial) == [record(1)]
    copied.close()
    assert hashlib.sha256((tmp_path / "s.db").read_bytes()).digest() == digest
