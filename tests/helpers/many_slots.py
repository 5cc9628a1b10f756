"""An engine of several slots in this process, whose answers come in together: a batch at each poll."""

from tests.helpers.inline import InlineEngine
from trainer.workers.messages import Answer, Broken, Diverged, Finished, Job


class ManySlots:
    """Slots that go in step: once the dispatcher has filled all it wants to, an epoch each at every poll."""

    def __init__(self, *slots: InlineEngine) -> None:
        self.slots = slots
        self._jobs: dict[int, InlineEngine] = {}
        self.n_batches = 0
        """How many polls had an answer."""

    n_workers = 1

    @property
    def n_slots(self) -> int:
        return len(self.slots)

    @property
    def n_free(self) -> int:
        return len(self.slots) - len(self._jobs)

    @property
    def jobs(self) -> list[Job]:
        return [job for slot in self.slots for job in slot.jobs]

    def submit(self, job: Job) -> None:
        slot = next(slot for slot in self.slots if slot not in self._jobs.values())
        self._jobs[job.number] = slot
        slot.submit(job)

    def poll(self, timeout_seconds: float) -> list[Answer]:
        if timeout_seconds == 0:  # the dispatcher has room, and goes on drawing
            return []
        answers = [answer for slot in self.slots for answer in slot.poll(timeout_seconds)]
        for answer in answers:
            if isinstance(answer, (Finished, Diverged, Broken)):
                del self._jobs[answer.number]
        self.n_batches += bool(answers)
        return answers

    def stop(self, number: int) -> None:
        self._jobs.pop(number).stop(number)

    def close(self) -> None:
        for slot in self.slots:
            slot.close()
