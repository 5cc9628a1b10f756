"""Who works on a study, and for how long somebody has.

A session is one stretch of work of one dispatcher. While it is open nobody else may start one. A dispatcher that was
killed leaves its session open; it is closed at once where its process is seen to be gone (`storage/processes.py`), and
otherwise after `STALE_SECONDS` without a sign of life. All times are those of the database's clock, and a session is
told by a random token: whoever has lost the study finds that out at the next word that it writes, and writes nothing.
"""

import secrets
import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.active_clock import ActiveClock
from storage.errors import StorageFailedError, StudyBusyError, StudyLostError
from storage.owners import Owner, owner_of
from storage.processes import this_process
from storage.server_time import ServerNow
from storage.study_tokens import DELETED, has_token, is_of_study, study_token
from storage.tables import SessionRow
from storage.trial_changes import TrialChanges

BEAT_SECONDS = 5.0
TAKEN_OVER = "another process has taken this study over, since this one stood still too long, or by --take-over"

_abandoned: set[str] = set()
"""Tokens of sessions of this process that may be open in a database that failed before it could say so."""


class StudySession:
    """An open session: `beat` now and then, `write` what becomes of trials, `end` when done.

    Raises StudyBusyError if another one is open, unless that is to be closed with `take_over`; and StudyLostError (from
    all methods but `end`) if this one was taken over, or the study was deleted.
    """

    def __init__(self, engine: Engine, study_id: int, take_over: bool = False, carried_seconds: float = 0.0) -> None:
        """`carried_seconds` are those of a copied study that were worked before it was copied."""
        self._engine = engine
        self._study_id = study_id
        self._token = secrets.token_hex(16)
        with engine.begin() as connection:
            self._study_token = study_token(connection, study_id)
        self._make_room(take_over)
        self._before = active_seconds(engine, study_id) + carried_seconds
        self.clock = ActiveClock()
        self._last_beat = time.monotonic()
        self._driven: tuple[int, int] | None = None
        self._n_writes = 0
        self._doubtful: TrialChanges | None = None
        self._id = self._open()

    @property
    def active_seconds(self) -> float:
        """Seconds that dispatchers have worked on the study, this session included."""
        return self._before + self.clock.seconds()

    def beat(self) -> None:
        """A sign of life, written at most every BEAT_SECONDS. To be called often, since it reads the clock."""
        self.clock.seconds()
        if time.monotonic() - self._last_beat >= BEAT_SECONDS:
            self.require()

    def require(self) -> None:
        """A sign of life now: to be sure that the study is still ours."""
        self._last_beat = time.monotonic()
        with self._engine.begin() as connection:
            self._change(connection)

    def drives(self, workers: int, slots: int) -> None:
        """Says how many worker processes this dispatcher drives, and how many candidates they train at once.

        Written if it is not what was said before.
        """
        if (workers, slots) != self._driven:
            with self._engine.begin() as connection:
                self._change(connection, workers=workers, slots=slots)
            self._driven = workers, slots

    def write(self, changes: TrialChanges) -> None:
        """Writes a batch of changes and a sign of life in one transaction, or nothing.

        After a StorageFailedError it may be called again with the same batch, which is not written twice: a connection
        may be lost when all was kept, and before that was heard.

        Raises UpdateFinishedTrialError if somebody has ended one of the trials, and KeyError if one is not there.
        """
        if changes.is_empty or self._has_arrived(changes):
            return
        with self._engine.begin() as connection:
            self._change(connection, n_writes=SessionRow.n_writes + 1)
            changes.write_in(connection)
            self._doubtful = changes  # until it is heard that all is kept
        self._doubtful = None
        self._n_writes += 1
        self._last_beat = time.monotonic()

    def end(self) -> None:
        """Closes the session, so that the next may open.

        A database that fails is left as it is: this process will be seen to be gone, or silent.
        """
        alive = {"beat_at": ServerNow(), "active_seconds": self.clock.seconds()}
        closing = update(SessionRow).where(*self._is_ours()).values(**alive, open=None)
        try:
            with self._engine.begin() as connection:
                connection.execute(closing)
        except StorageFailedError:
            _abandoned.add(self._token)

    def _make_room(self, take_over: bool) -> None:
        """Closes the session of a dispatcher that is gone, or has to go."""
        while True:
            with self._engine.begin() as connection:
                owner = owner_of(connection, self._study_id)
                if owner is None:
                    return
                if _is_alive(owner) and not take_over:
                    raise StudyBusyError(owner.refusal())
                closing = update(SessionRow).where(SessionRow.session_id == owner.session_id, SessionRow.open == 1)
                if not take_over:  # it may have come to life since it was looked at
                    closing = closing.where(SessionRow.beat_at <= owner.beat_at)
                if connection.execute(closing.values(open=None)).rowcount == 1:
                    return

    def _open(self) -> int:
        me = this_process()
        row = SessionRow(
            study_id=self._study_id,
            host=me.host,
            pid=me.pid,
            place=me.place,
            process_began=me.began,
            token=self._token,
            started_at=ServerNow(),
            beat_at=ServerNow(),
            open=1,
            study_token=self._study_token,
        )
        try:
            with Session(self._engine) as session, session.begin():
                session.add(row)
                session.flush()
                return row.session_id
        except IntegrityError:
            raise StudyBusyError("another process has just begun to work on this study: wait for it") from None
        except StorageFailedError:
            _abandoned.add(self._token)
            raise

    def _has_arrived(self, changes: TrialChanges) -> bool:
        """Whether this batch is kept, though an earlier call failed before it heard so."""
        if self._doubtful is None:
            return False
        with self._engine.begin() as connection:
            self._change(connection)  # which waits, where the server still works on what was sent before
            n_writes = connection.scalar(select(SessionRow.n_writes).where(SessionRow.session_id == self._id)) or 0
        doubtful, self._doubtful = self._doubtful, None
        has_arrived, self._n_writes = n_writes > self._n_writes, n_writes
        return has_arrived and doubtful is changes

    def _change(self, connection: Connection, **values: Any) -> None:
        """Changes the session, with a sign of life. Raises StudyLostError if it is not open any more."""
        alive = {"beat_at": ServerNow(), "active_seconds": self.clock.seconds()}
        is_there = has_token(self._study_id, self._study_token)  # else its session may be left over
        changing = update(SessionRow).where(*self._is_ours(), is_there).values(**alive, **values)
        # Counted by the connection: MySQL has no UPDATE … RETURNING.
        if connection.execute(changing).rowcount != 1:
            raise StudyLostError(TAKEN_OVER if connection.scalar(select(is_there)) else DELETED)

    def _is_ours(self) -> tuple[ColumnElement[bool], ...]:
        return SessionRow.session_id == self._id, SessionRow.token == self._token, SessionRow.open == 1


def active_seconds(engine: Engine, study_id: int) -> float:
    """Seconds that dispatchers have worked on a study, to the last sign of life of each."""
    query = select(func.sum(SessionRow.active_seconds)).where(SessionRow.study_id == study_id, is_of_study(SessionRow))
    with Session(engine) as session:
        return session.scalar(query) or 0.0


def is_open(engine: Engine, study_id: int) -> bool:
    """Whether a dispatcher works on the study now."""
    return _living(engine, study_id) is not None


def driven(engine: Engine, study_id: int) -> tuple[int, int] | None:
    """How many workers and slots the dispatcher drives that works on the study now; None if none does, or says so."""
    owner = _living(engine, study_id)
    return None if owner is None else owner.drives


def _living(engine: Engine, study_id: int) -> Owner | None:
    with engine.connect() as connection:
        owner = owner_of(connection, study_id)
    return owner if owner is not None and _is_alive(owner) else None


def _is_alive(owner: Owner) -> bool:
    return owner.token not in _abandoned and owner.is_alive
