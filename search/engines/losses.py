"""One policy for what is lost, in searches and verifications alike.

What is counted is lost workers, whatever they held: a worker of eight slots that is gone is one loss. Each job gets a
second run with the same seed, which goes on from the last epoch of the first, and never a third. A job that was there
when its worker went is a suspect; there is at most one in a worker, so that the one to blame takes none of the others
along a second time.
"""

from dataclasses import dataclass, replace

from search.engines.protocol import EngineError
from trainer.workers.messages import EpochDone, Job

_MAX_LOSSES_IN_A_ROW = 3


@dataclass(eq=False)
class Given:
    """A job that an engine was given, and how it has fared."""

    job: Job
    """Its state is that after the last epoch that was heard of: another run goes on from there."""
    n_epochs: int = 0
    """Epochs whose records were handed on."""
    has_failed: bool = False
    is_suspect: bool = False
    """Whether a worker was lost with it."""

    def is_news(self, done: EpochDone) -> bool:
        """Whether an epoch is to be handed on, and kept as where another run goes on: a run may do some of them again.

        It does where the state was of no use to it, or there was none: after the last epoch.
        """
        if done.record.epoch <= self.n_epochs:
            return False
        self.n_epochs = done.record.epoch
        if done.state:
            self.job = replace(self.job, state=done.state)
        return True

    def deserves_another_run(self) -> bool:
        """Whether it is to be run again now that a run of it failed: once."""
        deserves, self.has_failed = not self.has_failed, True
        return deserves


class Losses:
    """Counts, place by place, the workers that are lost with no sign of life from any in between.

    By place, since several that are lost at once are one misfortune, and none of those in their places has been tried.
    """

    def __init__(self) -> None:
        self._n_in_a_row: dict[int, int] = {}

    def sign_of_life(self) -> None:
        """A worker has finished an epoch or a training: something can be trained here."""
        self._n_in_a_row.clear()

    def worker_lost(self, place: int, reason: str) -> None:
        """Raises EngineError, with this last reason, once there is no point in starting another in this place."""
        n = self._n_in_a_row[place] = self._n_in_a_row.get(place, 0) + 1
        if n >= _MAX_LOSSES_IN_A_ROW:
            raise EngineError(f"{n} workers in a row were lost; the last one: {reason}")
