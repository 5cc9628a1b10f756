"""Engine: the small interface between the dispatcher and whatever runs the workers."""

from typing import Protocol

from models.errors import WorkFailedError
from trainer.workers.messages import Answer, Job


class EngineError(WorkFailedError):
    """The workers cannot be kept alive."""


class Engine(Protocol):
    """Workers with slots, each of which trains one candidate at a time."""

    @property
    def n_workers(self) -> int:
        """How many workers it drives."""

    @property
    def n_slots(self) -> int:
        """How many candidates it trains at once.

        A worker counts as one until it is ready, and then says how many it trains; memory that runs out makes it fewer.
        """

    @property
    def n_free(self) -> int:
        """How many jobs more it would begin at once."""

    def submit(self, job: Job) -> None:
        """Gives a job to a worker. It begins at once while there are fewer jobs than slots."""

    def poll(self, timeout_seconds: float) -> list[Answer]:
        """All that the workers have said since, waiting for at most this long for the first of it.

        A job whose worker is lost, or whose training raises, is run once more; nothing is said of that, or twice. A job
        is Broken when its second run fails too. Raises EngineError if worker after worker is lost and none trains.
        """

    def stop(self, number: int) -> None:
        """Ends a job that is not over: its slot is free, and no later `poll` says anything of it."""

    def close(self) -> None:
        """Ends the workers, whatever they do; nothing is kept of unfinished jobs."""
