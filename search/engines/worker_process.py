"""WorkerProcess: a worker as its engine sees it, with the jobs that are in its slots."""

import contextlib
import select
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection

from torch import multiprocessing

from search.engines.losses import Given
from trainer.data.images import TrainingData
from trainer.workers.messages import Job, Stop
from trainer.workers.processes import interrupts_held_back
from trainer.workers.settings import WorkerSettings

_JOIN_SECONDS = 5

Work = Callable[[Connection, TrainingData, WorkerSettings, float], None]
"""The life of a worker process: `trainer.workers.worker.work`."""


class WorkerProcess:
    """A worker process on this machine, started at once."""

    def __init__(self, work: Work, data: TrainingData, settings: WorkerSettings) -> None:
        self.settings = settings
        self.n_slots = 1
        """How many jobs it trains at once; it counts as one until it has said so."""
        self.jobs: dict[int, Given] = {}
        """What it trains, by number."""
        self.last_words: str | None = None
        """Why it ends, if it has said so."""
        self._outbox: deque[Job | Stop] = deque()
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, data, settings, time.time()), daemon=True)
        with interrupts_held_back():
            self.process.start()
        theirs.close()

    @property
    def n_free(self) -> int:
        """How many jobs more it would train at once; less than none while it holds some for which it has no memory."""
        return self.n_slots - len(self.jobs)

    @property
    def has_suspect(self) -> bool:
        """Whether it trains a job with which a worker was lost."""
        return any(given.is_suspect for given in self.jobs.values())

    def give(self, given: Given) -> None:
        """Gives it a job."""
        self.jobs[given.job.number] = given
        self._outbox.append(given.job)
        self.flush()

    def stop(self, number: int) -> None:
        """Tells it that a job is over; its slot is free for the next one."""
        del self.jobs[number]
        self._outbox.append(Stop(number))
        self.flush()

    @property
    def is_behind(self) -> bool:
        """Whether something waits until it has read what was sent before."""
        return bool(self._outbox)

    def flush(self) -> None:
        """Sends what waits to be sent, as far as it can be written at once.

        A worker reads nothing while it writes. Were it written to without a look, both might wait for each other.
        """
        with contextlib.suppress(OSError):  # a worker that is gone shows itself at the next poll
            while self._outbox and _is_writable(self.connection):
                self.connection.send(self._outbox.popleft())

    def terminate(self) -> None:
        """Tells it to end, whatever it does."""
        self.process.terminate()

    def bury(self) -> str:
        """Waits for its end, which was asked for or has come, and returns the reason in words."""
        self.process.join(_JOIN_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()
        return self.last_words or f"its worker ended with exit code {self.process.exitcode}"


def _is_writable(connection: Connection) -> bool:
    """Whether a message can be sent without waiting: a socket says so while most of its buffer is empty."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLOUT)
    return bool(poll.poll(0))
