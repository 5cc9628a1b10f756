"""Engine: the small interface between the dispatcher and whatever runs the workers."""

from typing import Protocol

from models.errors import WorkFailedError
from trainer.workers.messages import Answer, Job


class EngineError(WorkFailedError):
    """The workers cannot be kept alive."""


class Engine(Protocol):
    """A fixed number of slots, each of which trains one candidate at a time."""

    @property
    def n_slots(self) -> int:
        """How many candidates it trains at once."""

    def submit(self, job: Job) -> None:
        """Gives a job to a free slot; there must be one."""

    def poll(self, timeout_seconds: float) -> list[Answer]:
        """What the workers have said since, waiting for at most this long for the first.

        Raises EngineError if workers end again and again before they are given anything to do.
        """

    def reply(self, number: int, go_on: bool) -> None:
        """Answers the EpochDone of a job. A job told to stop is over, and its slot is free."""

    def close(self) -> None:
        """Ends the workers, whatever they do; nothing is kept of unfinished jobs."""
