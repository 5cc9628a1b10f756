"""What an epoch takes, by the clock and of a processor."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Counts from when it is made; processor time only within `counted`, since a process may have other work too."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.core_seconds = 0.0
        """Processor time of the process, all its threads together."""

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._start

    @contextmanager
    def counted(self) -> Iterator[None]:
        """What is done within counts."""
        start = time.process_time()
        try:
            yield
        finally:
            self.core_seconds += time.process_time() - start
