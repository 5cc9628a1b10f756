"""Patience: what is done again while a storage fails in a way that passes, as a lock does."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from storage.errors import StorageFailedError

_T = TypeVar("_T")

PATIENCE_SECONDS = 600.0
QUIET_SECONDS = 2.0
"""A wait longer than this says what it waits for."""
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
        """`tell` gets a line when waiting takes over QUIET_SECONDS, and when it was worth it; `is_stopping` ends it."""
        self._tell = tell
        self._is_stopping = is_stopping
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep

    def call(self, action: Callable[[], _T]) -> _T:
        """What the action returns. Raises its last StorageFailedError if that does not pass, or not in time."""
        began, pause, untold = self._clock(), _FIRST_PAUSE_SECONDS, [True]
        while True:
            try:
                result = action()
            except StorageFailedError as error:
                if not error.passes or self._is_stopping() or self._clock() - began >= self._seconds:
                    raise
                if not self._wait(began, min(pause, began + self._seconds - self._clock()), error.what, untold):
                    raise
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                if not untold:
                    self._tell(f"the database works again, after {_duration(self._clock() - began)}")
                return result

    def _wait(self, began: float, seconds: float, what: str, untold: list[bool]) -> bool:
        """Whether the pause came to its end, and nobody wants to stop. Tells once what is waited for."""
        end = self._clock() + seconds
        while True:
            if untold and self._clock() - began >= QUIET_SECONDS:
                self._tell(f"{what}: waiting for up to {_duration(self._seconds)}")
                untold.clear()
            if self._is_stopping() or (left := end - self._clock()) <= 0:
                return not self._is_stopping()
            self._sleep(min(left, _LOOK_SECONDS))


@contextmanager
def told_when_slow(text: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Tells a line if what is done inside takes over QUIET_SECONDS: for waits that only end by themselves."""
    timer = threading.Timer(QUIET_SECONDS, tell, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def tell_on_stderr(text: str) -> None:
    """Prints a line for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
