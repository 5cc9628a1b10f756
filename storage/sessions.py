"""Who works on a study, and for how long somebody has.

A session is one stretch of work of one dispatcher. While it is open nobody else may start one. A dispatcher that was
killed leaves its session open; it is closed at once when its process is seen to be gone on this host, and otherwise
after `STALE_SECONDS` without a sign of life.
"""

import os
import socket
import time

from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.errors import StudyBusyError
from storage.tables import SessionRow, studies

BEAT_SECONDS = 5.0
STALE_SECONDS = 120.0
TAKEN_OVER = "another process has taken this study over, since this one stood still too long"
DELETED = "somebody has deleted this study meanwhile"

_PROCESS_BEGAN = time.time()


class StudySession:
    """An open session: `beat` now and then, `end` when done.

    Raises StudyBusyError if another one is open, or (from `beat`, `require` and `drives`) if this one was taken over
    while it stood still, or the study was deleted.
    """

    def __init__(self, engine: Engine, study_id: int) -> None:
        self._engine = engine
        self._study_id = study_id
        self._close_stale()
        self._before = active_seconds(engine, study_id)
        self._started = time.monotonic()
        self._last_beat = self._started
        self._driven: tuple[int, int] | None = None
        self._id = self._open()

    @property
    def active_seconds(self) -> float:
        """Seconds that dispatchers have worked on the study, this session included."""
        return self._before + time.monotonic() - self._started

    def beat(self) -> None:
        """A sign of life, written at most every BEAT_SECONDS."""
        if time.monotonic() - self._last_beat >= BEAT_SECONDS:
            self.require()

    def require(self) -> None:
        """A sign of life now: to be sure that the study is still ours."""
        self._last_beat = time.monotonic()
        self._write(beat_at=time.time())

    def drives(self, workers: int, slots: int) -> None:
        """Says how many worker processes this dispatcher drives, and how many candidates they train at once.

        Written if it is not what was said before.
        """
        if (workers, slots) != self._driven:
            self._write(workers=workers, slots=slots)
            self._driven = workers, slots

    def end(self) -> None:
        """Closes the session, so that the next may open."""
        self._update(beat_at=time.time(), open=None)

    def _open(self) -> int:
        now = time.time()
        row = SessionRow(
            study_id=self._study_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=now,
            beat_at=now,
            open=1,
        )
        try:
            with Session(self._engine) as session, session.begin():
                session.add(row)
                session.flush()
                return row.session_id
        except IntegrityError:
            raise StudyBusyError("another process has just begun to work on this study: wait for it") from None

    def _close_stale(self) -> None:
        with Session(self._engine) as session, session.begin():
            row = session.scalar(select(SessionRow).where(SessionRow.study_id == self._study_id, SessionRow.open == 1))
            if row is None:
                return
            if _is_alive(row):
                age = max(0.0, time.time() - row.beat_at)
                raise StudyBusyError(
                    f"process {row.pid} on {row.host} works on this study (last sign of life {age:.0f} s ago): "
                    "stop it first, or name another study with --study"
                )
            row.open = None

    def _write(self, **values: float) -> None:
        if not self._update(**values):
            with self._engine.connect() as connection:
                is_there = connection.scalar(select(studies.c.study_id).where(studies.c.study_id == self._study_id))
            raise StudyBusyError(TAKEN_OVER if is_there is not None else DELETED)

    def _update(self, **values: float | None) -> bool:
        """Whether the session was still open, and so was changed."""
        mine = (SessionRow.session_id == self._id, SessionRow.open == 1)
        with Session(self._engine) as session, session.begin():
            # Counted by the connection: MySQL has no UPDATE … RETURNING.
            return session.connection().execute(update(SessionRow).where(*mine).values(**values)).rowcount == 1


def active_seconds(engine: Engine, study_id: int) -> float:
    """Seconds that dispatchers have worked on a study, to the last sign of life of each."""
    query = select(func.sum(SessionRow.beat_at - SessionRow.started_at)).where(SessionRow.study_id == study_id)
    with Session(engine) as session:
        return session.scalar(query) or 0.0


def is_open(engine: Engine, study_id: int) -> bool:
    """Whether a dispatcher works on the study now."""
    return _living(engine, study_id) is not None


def driven(engine: Engine, study_id: int) -> tuple[int, int] | None:
    """How many workers and slots the dispatcher drives that works on the study now; None if none does, or says so."""
    row = _living(engine, study_id)
    return None if row is None or row.workers is None or row.slots is None else (row.workers, row.slots)


def _living(engine: Engine, study_id: int) -> SessionRow | None:
    """The open session of a study, if its dispatcher lives."""
    query = select(SessionRow).where(SessionRow.study_id == study_id, SessionRow.open == 1)
    with Session(engine) as session:
        row = session.scalar(query)
        return row if row is not None and _is_alive(row) else None


def _is_alive(row: SessionRow) -> bool:
    if row.host == socket.gethostname():
        # In a container every run may have the same number: a session is ours only if it is younger than we are.
        if row.pid == os.getpid() and row.started_at < _PROCESS_BEGAN:
            return False
        if not _process_exists(row.pid):
            return False
    return time.time() - row.beat_at < STALE_SECONDS  # also on this host: process numbers are used again


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
