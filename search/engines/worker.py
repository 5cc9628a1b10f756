"""Worker: one worker as its engine sees it, whatever it runs in, with the jobs that are in its slots."""

from abc import ABC, abstractmethod
from queue import SimpleQueue
from typing import TypeAlias

from search.engines.losses import Given
from trainer.workers.messages import Job, Message, Stop
from trainer.workers.settings import WorkerSettings


class Worker(ABC):
    """A worker, started as soon as it is made. Nothing here waits for it: it may hang."""

    def __init__(self, settings: WorkerSettings, n_slots: int) -> None:
        self.settings = settings
        self.n_slots = n_slots
        """How many jobs it trains at once; a guess until it is ready."""
        self.is_pending = False
        """Whether it waits for a place to run in."""
        self.is_ready = False
        self.jobs: dict[int, Given] = {}
        """What it trains, by number."""
        self.last_words: str | None = None
        """Why it ends, if it has said so, or somebody else knows."""

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
        self._tell(given.job)

    def stop(self, number: int) -> None:
        """Tells it that a job is over; its slot is free for the next one."""
        del self.jobs[number]
        self._tell(Stop(number))

    @abstractmethod
    def _tell(self, message: Job | Stop) -> None:
        """Sends it a message behind those before."""

    @abstractmethod
    def kill(self) -> None:
        """Ends it, whatever it does, and also if it does nothing."""

    @abstractmethod
    def bury(self) -> str:
        """Waits for its end, which was asked for or has come, and returns the reason in words."""


Inbox: TypeAlias = "SimpleQueue[tuple[Worker, list[Message] | None]]"
"""What workers say, as it comes; None is the end of a worker."""
