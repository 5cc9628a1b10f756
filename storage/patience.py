"""Patience: what is done again while a storage fails in a way that passes, as a lock does."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, event

from storage.errors import StorageFailedError

_T = TypeVar("_T")

PATIENCE_SECONDS = 600.0
BRIEF_SECONDS = 3.0
"""How long SQLite itself waits for a lock where patience waits for the rest."""
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_LOOK_SECONDS = 0.25
"""How often a pause looks whether it is to end."""


class Patience:
    """Calls an action again and again while its storage fails in a way that passes, up to a limit.

    The action must be one that may be done twice: after a lost connection nobody knows whether it was done.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        is_stopping: Callable[[], bool] = lambda: False,
        seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`tell` is told in a line when waiting begins, and when it was worth it; `is_stopping` ends it at once."""
        self._tell = tell
        self._is_stopping = is_stopping
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep

    def call(self, action: Callable[[], _T]) -> _T:
        """What the action returns. Raises its last StorageFailedError if that does not pass, or not in time."""
        began, pause, told = self._clock(), _FIRST_PAUSE_SECONDS, ""
        while True:
            try:
                result = action()
            except StorageFailedError as error:
                if not error.passes or self._is_stopping() or self._clock() - began >= self._seconds:
                    raise
                if not told:
                    told = error.what
                    self._tell(f"{told}: waiting for up to {_duration(self._seconds)}")
                if not self._wait(min(pause, began + self._seconds - self._clock())):
                    raise
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                if told:
                    self._tell(f"the database works again, after {_duration(self._clock() - began)}")
                return result

    def _wait(self, seconds: float) -> bool:
        """Whether the pause came to its end, and nobody wants to stop."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            if self._is_stopping():
                return False
            self._sleep(min(left, _LOOK_SECONDS))
        return not self._is_stopping()


def leave_waiting_to_patience(engine: Engine) -> None:
    """Lets SQLite itself wait for a lock for a moment only: while it waits nothing is told, and no Ctrl-C is heard.

    For whoever writes with patience; all others get a minute from the store. Servers are left as they are.
    """
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _wait_briefly):
        event.listen(engine, "connect", _wait_briefly)
        engine.dispose()  # connections that were made before


def _wait_briefly(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={round(1000 * BRIEF_SECONDS)}")
    cursor.close()


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
