"""Who works on a study now, and whether somebody else may."""

import math
from dataclasses import dataclass

from sqlalchemy import Connection, select

from storage.processes import Process
from storage.server_time import ServerNow
from storage.study_tokens import is_of_study
from storage.tables import SessionRow

STALE_SECONDS = 120.0


@dataclass(frozen=True)
class Owner:
    """The dispatcher whose session of a study is open."""

    session_id: int
    token: str | None
    process: Process
    beat_at: float
    """Its last sign of life, by the database's clock."""
    silent_seconds: float
    """For how long it had given none when it was looked at; negative if that clock was set back since."""
    drives: tuple[int, int] | None
    """Its workers and slots; None if it has not said yet."""

    @property
    def is_alive(self) -> bool:
        """Whether it is to be taken for alive: its process is not seen to be gone, and it was not silent too long."""
        return self.silent_seconds < STALE_SECONDS and not self.process.is_gone()

    def refusal(self) -> str:
        """What another dispatcher is told of it."""
        silent, left = max(0.0, self.silent_seconds), math.ceil(STALE_SECONDS - self.silent_seconds)
        return (
            f"process {self.process.pid} on {self.process.host} works on this study "
            f"(last sign of life {silent:.0f} s ago): stop it first, "
            f"or wait until it has been silent for {left} s more, or take the study over at once with --take-over, "
            "or name another study with --study"
        )


def owner_of(connection: Connection, study_id: int) -> Owner | None:
    """Whose session of the study is open; None if nobody's is."""
    row = SessionRow
    query = select(
        row.session_id, row.token, row.host, row.pid, row.place, row.process_began, row.workers, row.slots, row.beat_at,
        (ServerNow() - row.beat_at).label("silent"),
    ).where(row.study_id == study_id, row.open == 1, is_of_study(row))  # fmt: skip
    found = connection.execute(query).one_or_none()
    if found is None:
        return None
    return Owner(
        found.session_id,
        found.token,
        Process(found.host, found.pid, found.place, found.process_began),
        found.beat_at,
        found.silent,
        None if found.workers is None or found.slots is None else (found.workers, found.slots),
    )
