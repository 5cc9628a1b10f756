"""A clock of work: it leaves out the time for which the machine was suspended, or the program stopped."""

import time

STANDSTILL_SECONDS = 60.0
"""Whoever works reads the clock several times a second: a longer gap between two readings was no work."""


class ActiveClock:
    """Counts seconds of work. It must be read often, since a gap of over STANDSTILL_SECONDS counts as none.

    Where the system's own clock goes on through a suspend (a stopped process, a paused container or virtual machine),
    only such a gap shows it.
    """

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._seconds = 0.0

    def seconds(self) -> float:
        """Seconds of work since the clock was made."""
        last, self._last = self._last, time.monotonic()
        gap = self._last - last
        self._seconds += gap if gap <= STANDSTILL_SECONDS else 0.0
        return self._seconds
