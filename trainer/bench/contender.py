"""A contender: one way of training in a process of its own, which trains when told to and idles otherwise.

The process leads a group of its own, so that Ctrl-C does not reach it and it can be ended with all it started.
"""

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeVar

from models.errors import WorkFailedError
from trainer.bench.ways import Way
from trainer.workers.processes import die_with_parent, make_process, peak_memory_bytes, process_context

_JOIN_SECONDS = 5
_T = TypeVar("_T")


@dataclass(frozen=True)
class Started:
    """The contender waits for its first order."""

    start_seconds: float
    """From the start of its process."""
    core_seconds: float
    """Processor time it took meanwhile."""


@dataclass(frozen=True)
class Trained:
    """An epoch is over."""

    seconds: float
    """By its own clock, from the order to its end."""
    core_seconds: float
    """Processor time of the process and of those it started, which have ended by then."""
    memory_bytes: int
    """Its peak resident memory so far."""


@dataclass(frozen=True)
class Broke:
    """The way of training raised; `reason` is one line."""

    reason: str


class Contender:
    """The handle of a contender: `order` and `go` an epoch, then `wait` for it."""

    def __init__(self, name: str, make: Callable[[], Way], device: str = "cpu") -> None:
        """`make` is called in the new process, which uses `device`, and must be picklable."""
        self.name = name
        self.start = Started(0.0, 0.0)
        self.memory_bytes = 0
        context = process_context(device)
        self._connection, theirs = context.Pipe()
        # No daemon: those may have no children, and the DataLoader of the sources' loop has.
        self._process = make_process(context, _compete, (theirs, make, time.time()), daemon=False)
        self._process.start()
        theirs.close()

    def started(self) -> None:
        """Waits until it is ready, once."""
        self.start = self._receive(Started)

    def order(self, n_images: int) -> None:
        """Makes it get ready for an epoch; returns when it is."""
        self._send(n_images)
        self._receive(int)

    def go(self) -> None:
        """Makes it train what was ordered."""
        self._send(None)

    def wait(self) -> Trained:
        """What the epoch took, once that is over."""
        trained = self._receive(Trained)
        self.memory_bytes = trained.memory_bytes
        return trained

    def close(self) -> None:
        """Ends its process and those it started, whatever they do."""
        assert self._process.pid is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # it does not lead a group yet, or has ended
            self._process.kill()
        self._process.join(_JOIN_SECONDS)
        self._connection.close()

    def _send(self, message: object) -> None:
        with contextlib.suppress(OSError):  # one that is gone shows itself where its answer is waited for
            self._connection.send(message)

    def _receive(self, kind: type[_T]) -> _T:
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(_JOIN_SECONDS)
            raise WorkFailedError(f"{self.name} ended with exit code {self._process.exitcode}") from None
        if isinstance(answer, Broke):
            raise WorkFailedError(f"{self.name} broke: {answer.reason}")
        assert isinstance(answer, kind)
        return answer


def _compete(connection: Connection, make: Callable[[], Way], started_at: float) -> None:
    """The life of a contender's process, until its parent is gone or ends it."""
    os.setsid()
    die_with_parent(_end_group)
    try:
        way = make()
        connection.send(Started(time.time() - started_at, _core_seconds()))
        while True:
            n_images = connection.recv()
            train = way.prepare(n_images)
            connection.send(n_images)
            connection.recv()
            start, core_start = time.perf_counter(), _core_seconds()
            train()
            seconds, core_seconds = time.perf_counter() - start, _core_seconds() - core_start
            connection.send(Trained(seconds, core_seconds, peak_memory_bytes()))
    except (EOFError, ConnectionError):
        return
    except Exception as error:
        connection.send(Broke(f"{type(error).__name__}: {' '.join(str(error).split())}"))


def _end_group() -> None:
    os.killpg(0, signal.SIGKILL)


def _core_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
