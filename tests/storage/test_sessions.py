"""Who owns a study: one dispatcher at a time, and what becomes of one that died."""

import os
import re
import socket
import subprocess
import sys
import time
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from storage import sessions
from storage.errors import StudyBusyError
from storage.sessions import StudySession, active_seconds, driven, is_open
from storage.store import Store
from storage.tables import SessionRow
from tests.helpers.databases import WritingTransactions, new_study


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


# What a dispatcher drives


def test_what_a_living_dispatcher_drives_is_known(store: Store, study_id: int) -> None:
    other = new_study(store, "other")._study_id
    assert driven(store.engine, study_id) is None
    session = StudySession(store.engine, study_id)
    assert driven(store.engine, study_id) is None, "nobody has said yet"
    session.drives(2, 32)
    assert driven(store.engine, study_id) == (2, 32)
    session.drives(2, 16)
    assert driven(store.engine, study_id) == (2, 16)
    assert driven(store.engine, other) is None
    session.end()
    assert driven(store.engine, study_id) is None
    second = StudySession(store.engine, study_id)
    assert driven(store.engine, study_id) is None, "the next one has yet to say"
    second.end()


def test_what_a_dead_dispatcher_drove_is_not_driven(store: Store, study_id: int) -> None:
    put_session(store, study_id, host=socket.gethostname(), pid=dead_pid(), workers=1, slots=64)
    assert driven(store.engine, study_id) is None


def test_what_is_driven_is_written_when_it_changes(store: Store, study_id: int) -> None:
    session = StudySession(store.engine, study_id)
    transactions = WritingTransactions(store)
    for slots in (8, 8, 8, 16, 16):
        session.drives(1, slots)
    assert transactions.n == 2
    session.end()


def test_whoever_was_taken_over_drives_nothing(store: Store, study_id: int) -> None:
    stopped = StudySession(store.engine, study_id)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE run_sessions SET beat_at = :t"), {"t": time.time() - 1000})
    owner = StudySession(store.engine, study_id)
    owner.drives(1, 4)
    with pytest.raises(StudyBusyError, match="another process has taken this study over"):
        stopped.drives(2, 8)
    assert driven(store.engine, study_id) == (1, 4)
    owner.end()
