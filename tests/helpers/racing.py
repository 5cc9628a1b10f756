"""An engine of several slots in this process, of which a random one moves at each poll: which ends first is luck."""

import random

from tests.helpers.inline import InlineEngine, small_digits
from trainer.workers.messages import Answer, Broken, Diverged, Finished, Job


class RacingSlots:
    """Slots as of workers that are now fast and now slow. `polls_left` polls before it is killed, if any are given."""

    n_workers = 1

    def __init__(self, n_slots: int, seed: int, polls_left: int | None = None) -> None:
        self.n_slots = n_slots
        self._rng = random.Random(seed)
        self._slots: dict[int, InlineEngine] = {}
        self._polls_left = polls_left
        self.ended: list[int] = []
        """The numbers of the jobs, in the order of their ends."""
        self.jobs: list[Job] = []

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self._slots)

    def submit(self, job: Job) -> None:
        self._slots[job.number] = InlineEngine(small_digits())
        self._slots[job.number].submit(job)
        self.jobs.append(job)

    def poll(self, timeout_seconds: float) -> list[Answer]:
        if self._polls_left is not None:
            self._polls_left -= 1
            if self._polls_left < 0:
                raise KilledError
        if not self._slots or (self._rng.random() < 0.3 and timeout_seconds == 0):
            return []
        number = self._rng.choice(sorted(self._slots))
        answers = self._slots[number].poll(0)
        if any(isinstance(answer, (Finished, Diverged, Broken)) for answer in answers):
            self.stop(number)
        return answers

    def stop(self, number: int) -> None:
        del self._slots[number]
        self.ended.append(number)

    def close(self) -> None:
        self._slots.clear()


class KilledError(BaseException):
    """In the place of a kill -9: nothing is caught on the way out."""
