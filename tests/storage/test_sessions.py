"""Who owns a study: one dispatcher at a time, and what becomes of one that died or was taken over."""

import os
import re
import time
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from storage import sessions
from storage.errors import StudyBusyError, StudyLostError
from storage.owners import Owner
from storage.processes import Process, this_process
from storage.sessions import StudySession, active_seconds, driven, is_open
from storage.store import Store
from storage.tables import SessionRow
from tests.helpers.databases import WritingTransactions, new_study, token_of
from tests.helpers.processes import ended_process

pytestmark = pytest.mark.every_database

TAKEN_OVER = "another process has taken this study over, since this one stood still too long, or by --take-over"
JUST_NOW = "[0-9]"
"""Seconds since something was done: a busy machine takes its time."""


def put_session(store: Store, study_id: int, process: Process | None = None, **changes: Any) -> None:
    """An open session of a dispatcher that is not this process; one of schema version 6 unless a process is given."""
    row = {"study_id": study_id, "host": "elsewhere", "pid": 1, "started_at": 0.0, "beat_at": time.time(), "open": 1}
    row |= {"study_token": token_of(store, study_id)}
    if process is not None:
        row |= {"host": process.host, "pid": process.pid, "place": process.place, "process_began": process.began}
        row |= {"token": "of another"}
    with Session(store.engine) as session, session.begin():
        session.execute(insert(SessionRow).values(**{**row, **changes}))


def fall_silent(store: Store, seconds: float) -> None:
    """Puts the last sign of life of all sessions so far back."""
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE run_sessions SET beat_at = :t"), {"t": time.time() - seconds})


def rows(store: Store) -> list[tuple[str, int, int | None]]:
    with store.engine.connect() as connection:
        found = connection.execute(text("SELECT host, pid, open FROM run_sessions ORDER BY session_id"))
        return [(host, pid, is_open) for host, pid, is_open in found]


def busy(store: Store, study_id: int) -> str:
    with pytest.raises(StudyBusyError) as caught:
        StudySession(store.engine, study_id)
    return str(caught.value)


def test_a_second_dispatcher_is_refused_with_the_owner_and_the_ways_out(store: Store, study_id: int) -> None:
    first = StudySession(store.engine, study_id)
    assert is_open(store.engine, study_id)
    me = this_process()
    assert re.fullmatch(
        rf"process {me.pid} on {re.escape(me.host)} works on this study \(last sign of life {JUST_NOW} s ago\): stop "
        r"it first, or wait until it has been silent for 1[12]\d s more, or take the study over at once with "
        "--take-over, or name another study with --study",
        busy(store, study_id),
    )
    first.end()
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()
    assert rows(store) == [(me.host, me.pid, None)] * 2


def test_another_study_is_free(store: Store, study_id: int) -> None:
    other = new_study(store, "other")._study_id
    first = StudySession(store.engine, study_id)
    assert not is_open(store.engine, other)
    second = StudySession(store.engine, other)
    first.end()
    assert is_open(store.engine, other)
    second.end()


# Alive, silent, gone


def test_a_dead_owner_is_taken_over_at_once(store: Store, study_id: int) -> None:
    dead = ended_process()
    put_session(store, study_id, dead)
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()
    assert rows(store) == [(dead.host, dead.pid, None), (dead.host, os.getpid(), None)]


@pytest.mark.parametrize("silent", [42, 110])
@pytest.mark.parametrize("schema", [6, 7])
def test_nobody_knows_of_an_owner_elsewhere_but_by_its_silence(
    store: Store, study_id: int, silent: int, schema: int
) -> None:
    """In another container or on another host, whatever is known here of a process of that number."""
    elsewhere = Process("elsewhere", ended_process().pid, "another boot pid:[1]", 12) if schema == 7 else None
    put_session(store, study_id, elsewhere)
    fall_silent(store, silent)
    assert is_open(store.engine, study_id)
    said = re.fullmatch(
        r"process \d+ on elsewhere works on this study \(last sign of life (\d+) s ago\): stop it first, "
        r"or wait until it has been silent for (\d+) s more, .*",
        busy(store, study_id),
    )
    assert said is not None
    assert int(said[1]) == pytest.approx(silent, abs=5)
    assert int(said[2]) == pytest.approx(120 - silent, abs=5)
    fall_silent(store, 121)
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()


def test_a_living_owner_on_this_host_may_be_silent_for_two_minutes_too(store: Store, study_id: int) -> None:
    put_session(store, study_id, this_process())
    fall_silent(store, 110)
    assert is_open(store.engine, study_id)
    assert f"process {os.getpid()} on {this_process().host} works on this study (last sign of life 11" in busy(
        store, study_id
    )
    fall_silent(store, 121)
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()


def test_the_clock_of_the_database_was_set_back(store: Store, study_id: int) -> None:
    put_session(store, study_id)
    fall_silent(store, -1000)
    assert re.match(
        r"process 1 on elsewhere works on this study \(last sign of life 0 s ago\): stop it first, or wait until it "
        r"has been silent for 11[12]\d s more, ",
        busy(store, study_id),
    )


@pytest.mark.parametrize("wrong_by", [-3600, 3600])
def test_the_clock_of_whoever_asks_may_be_wrong(
    store: Store, study_id: int, wrong_by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    first = StudySession(store.engine, study_id)
    monkeypatch.setattr(time, "time", lambda: real() + wrong_by)
    assert is_open(store.engine, study_id)
    assert re.search(rf"\(last sign of life {JUST_NOW} s ago\)", busy(store, study_id))
    first.end()
    other = StudySession(store.engine, study_id)
    monkeypatch.undo()
    assert re.search(rf"\(last sign of life {JUST_NOW} s ago\)", busy(store, study_id))
    fall_silent(store, 121)
    monkeypatch.setattr(time, "time", lambda: real() + wrong_by)
    assert not is_open(store.engine, study_id)
    StudySession(store.engine, study_id).end()
    with pytest.raises(StudyLostError):
        other.require()


# Taken over


def lost(session: StudySession) -> str:
    with pytest.raises(StudyLostError) as caught:
        session.require()
    return str(caught.value)


def test_a_living_owner_is_taken_over_when_that_is_asked_for(store: Store, study_id: int) -> None:
    first = StudySession(store.engine, study_id)
    second = StudySession(store.engine, study_id, take_over=True)
    assert lost(first) == TAKEN_OVER
    first.end()  # which must not end the other's
    assert is_open(store.engine, study_id)
    second.require()
    second.end()
    StudySession(store.engine, study_id, take_over=True).end()  # there is nobody to be taken over


def test_whoever_was_taken_over_learns_it_at_the_next_beat(
    store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = StudySession(store.engine, study_id)
    fall_silent(store, 1000)
    owner = StudySession(store.engine, study_id)
    monkeypatch.setattr(sessions, "BEAT_SECONDS", 0.0)
    with pytest.raises(StudyLostError) as caught:
        stopped.beat()
    assert str(caught.value) == TAKEN_OVER
    stopped.end()
    assert is_open(store.engine, study_id)
    owner.beat()
    owner.end()


def test_an_owner_that_comes_to_life_while_it_is_looked_at_keeps_its_study(
    store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = StudySession(store.engine, study_id)
    fall_silent(store, 130)
    is_alive = sessions._is_alive

    def look(seen: Owner) -> bool:
        found = is_alive(seen)
        owner.require()
        return found

    monkeypatch.setattr(sessions, "_is_alive", look)
    assert f"process {os.getpid()} on " in busy(store, study_id)
    owner.require()
    owner.end()


def test_a_token_is_what_tells_a_session(store: Store, study_id: int) -> None:
    """Not its number: a database that was put back from a copy may give that again."""
    session = StudySession(store.engine, study_id)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE run_sessions SET token = 'another'"))
    assert lost(session) == TAKEN_OVER
    session.end()
    assert is_open(store.engine, study_id)


def test_of_two_that_begin_at_once_one_is_refused(store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looking and opening another one opens: the database decides."""
    monkeypatch.setattr(StudySession, "_make_room", lambda _self, _take_over: put_session(store, study_id))
    assert busy(store, study_id) == "another process has just begun to work on this study: wait for it"
    assert rows(store) == [("elsewhere", 1, 1)]


# What is written of it


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
    put_session(store, study_id, active_seconds=30.0, open=None)
    put_session(store, study_id, active_seconds=12.5, open=None)
    put_session(store, new_study(store, "other")._study_id, active_seconds=500.0, open=None)
    assert active_seconds(store.engine, study_id) == 42.5
    steady = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: steady)
    session = StudySession(store.engine, study_id)
    assert session.active_seconds == pytest.approx(42.5)  # a difference of clock times
    steady += 7.5
    assert session.active_seconds == pytest.approx(50)
    session.beat()
    assert active_seconds(store.engine, study_id) == pytest.approx(50)
    steady += 1.5
    session.end()
    assert active_seconds(store.engine, study_id) == pytest.approx(51.5)
    copied = StudySession(store.engine, study_id, carried_seconds=100.0)
    assert copied.active_seconds == pytest.approx(151.5)
    copied.end()


def test_a_killed_session_counts_to_its_last_sign_of_life(store: Store, study_id: int) -> None:
    put_session(store, study_id, beat_at=1030.0, active_seconds=30.0)
    session = StudySession(store.engine, study_id)
    assert 30 <= session.active_seconds < 35
    session.end()


@pytest.mark.parametrize(("gap", "counted"), [(59.0, 59.0), (61.0, 0.0), (44 * 60.0, 0.0)])
def test_time_in_which_the_machine_was_suspended_is_not_active(
    store: Store, study_id: int, gap: float, counted: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that goes on through it, as that of a stopped process does: between two turns a long time has passed."""
    steady = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: steady)
    session = StudySession(store.engine, study_id)
    for passes in (10.0, gap, 10.0):
        steady += passes
        session.beat()
    assert session.active_seconds == pytest.approx(20 + counted)
    assert active_seconds(store.engine, study_id) == pytest.approx(20 + counted)
    session.end()
    assert StudySession(store.engine, study_id).active_seconds == pytest.approx(20 + counted)


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
    put_session(store, study_id, ended_process(), workers=1, slots=64)
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
    fall_silent(store, 1000)
    owner = StudySession(store.engine, study_id)
    owner.drives(1, 4)
    with pytest.raises(StudyLostError, match="another process has taken this study over"):
        stopped.drives(2, 8)
    assert driven(store.engine, study_id) == (1, 4)
    owner.end()
