"""Jobs that take a blink, loops and engines that train them, and trainings that do harm."""

import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import Conv, Gap, MaxPool
from models.recipe import Recipe
from search.engines.protocol import Engine
from tests.helpers.trainings import timeless
from trainer.data.images import TrainingData
from trainer.training.cuda_runner import SWITCH, CaptureError
from trainer.training.records import EpochRecord
from trainer.training.runner import Runner
from trainer.training.train import Training
from trainer.workers.messages import Answer, Broken, Diverged, EpochDone, Finished, Job, Lost, Message
from trainer.workers.settings import WorkerSettings
from trainer.workers.slots import SlotLoop

_ARCH = ArchSpec((Conv(3, then=("bn", "relu", "dropout")), MaxPool(), Gap(), Conv(10, 1, then=())))
DIVERGING = ArchSpec((Conv(8, then=()), Conv(8, then=()), MaxPool(), Gap(), Conv(10, 1, then=())))
"""With a learning rate of 100, and batches of 8."""
_ENDS = (Finished, Diverged, Broken)


def made_job(number: int, epochs: int = 3, arch: ArchSpec = _ARCH, **recipe: Any) -> Job:
    """A job with a seed of its own."""
    return Job(number, Candidate(arch, Recipe(epochs=epochs, **{"batch_size": 16} | recipe)).to_dict(), 100 + number)


def alone(job: Job, data: TrainingData) -> list[EpochRecord]:
    """What the job comes to where nothing else is trained, without the times."""
    return timeless(list(Training(Candidate.from_dict(job.candidate), data, job.seed)))


def network_alone(job: Job, data: TrainingData) -> Finished:
    """The end of the job where nothing else is trained."""
    training = Training(Candidate.from_dict(job.candidate), data, job.seed)
    list(training)
    weights = io.BytesIO()
    torch.save(training.weights(), weights)
    return Finished(job.number, weights.getvalue(), training.predictions)


def records_of(messages: Sequence[Message | Lost], number: int) -> list[EpochRecord]:
    """The records that were sent of a job, in their order, without the times."""
    return timeless([one.record for one in messages if isinstance(one, EpochDone) and one.number == number])


def ends_of(messages: Sequence[Message | Lost]) -> dict[int, type]:
    """How each job ended; each must have done so once."""
    ends = [one for one in messages if isinstance(one, _ENDS)]
    assert len({one.number for one in ends}) == len(ends)
    return {one.number: type(one) for one in ends}


@contextmanager
def slot_loop(
    data: TrainingData, n_slots: int, jobs: Sequence[Job] = (), make_training: Callable[..., Training] = Training
) -> Iterator[Connection]:
    """The dispatcher's end of a line to a loop in a thread of this process, which has these jobs from the beginning."""
    ours, theirs = Pipe()
    for job in jobs:
        ours.send(job)
    loop = SlotLoop(theirs, data, WorkerSettings("cpu", torch.float32), n_slots, make_training)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield ours
    finally:
        ours.send(None)
        thread.join(60)
        assert not thread.is_alive()


def hear(line: Connection, n_ends: int, seconds: float = 60) -> list[Message]:
    """All that is said until so many jobs have ended."""
    heard: list[Message] = []
    while sum(isinstance(one, _ENDS) for one in heard) < n_ends:
        assert line.poll(seconds), f"nothing more was said; until then: {heard}"
        heard += line.recv()
    return heard


def train_all_of(engine: Engine, jobs: Sequence[Job], seconds: float = 120) -> list[Answer]:
    """All that an engine says of these jobs, each of which must end."""
    deadline = time.monotonic() + seconds
    for job in jobs:
        engine.submit(job)
    heard: list[Answer] = []
    while sum(isinstance(one, _ENDS) for one in heard) < len(jobs):
        assert time.monotonic() < deadline, heard
        heard += engine.poll(1)
    return heard


@dataclass(frozen=True)
class _Noting:
    """Makes trainings that note each of their batches, and then do something behind it."""

    notes: Path
    """A folder in which each batch of every seed is noted, whatever becomes of the process."""

    def n_batches(self, seed: int) -> int:
        """How many batches were trained with this seed, those in vain included."""
        return (self.notes / f"batches-{seed}").stat().st_size

    def __call__(
        self,
        candidate: Candidate,
        data: TrainingData,
        seed: int,
        device: str,
        dtype: torch.dtype,
        on_batch: Callable[[int, int], None],
        runner: Runner,
    ) -> Training:
        n_done = count(1)

        def note(number: int, n: int) -> None:
            with (self.notes / f"batches-{seed}").open("ab") as file:
                file.write(b".")
            self._behind(seed, next(n_done), n)
            on_batch(number, n)

        return Training(candidate, data, seed, device, dtype, note, runner)

    def _behind(self, seed: int, n_done: int, n: int) -> None:
        """What is done behind a batch, when so many were done in this run, of an epoch of n."""
        raise NotImplementedError


@dataclass(frozen=True)
class Unhurried(_Noting):
    """Makes trainings that wait so many seconds behind each batch, so that they can be caught in the middle."""

    seconds: float

    def _behind(self, seed: int, n_done: int, n: int) -> None:
        time.sleep(self.seconds)


@dataclass(frozen=True)
class Harmful(_Noting):
    """Makes trainings, of which the one with this seed does harm in its second epoch, so many times at most."""

    seed: int
    n_times: int
    how: str
    """`kill`: the process is gone. `stop`: it stands still. `lose`: its device is gone. `capture`: a CUDA graph failed,
    which can only be where there are any. `raise`: only the training breaks."""

    @property
    def n_harms(self) -> int:
        """How often it has done harm."""
        return len(list(self.notes.glob("harm-*")))

    def _behind(self, seed: int, n_done: int, n: int) -> None:
        if seed == self.seed and n_done == n + 1:
            self._harm()

    def _harm(self) -> None:
        if self.n_harms >= self.n_times or (self.how == "capture" and os.environ.get(SWITCH) == "0"):
            return
        (self.notes / f"harm-{self.n_harms}").touch()
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if self.how == "capture":
            raise CaptureError(RuntimeError("CUDA error: operation not permitted"))
        raise RuntimeError("CUDA error: an illegal access" if self.how == "lose" else "of ours")
