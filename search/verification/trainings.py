"""Trains candidates with given seeds on an engine, whatever their order, and says what each training came to."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from models.candidate import Candidate
from models.errors import WorkFailedError
from search.engines.protocol import Engine
from trainer.training.records import EpochRecord
from trainer.workers.messages import Answer, Broken, Diverged, EpochDone, Finished, Job, Ready

_POLL_SECONDS = 0.25
_MAX_BREAKS = 3


class VerificationFailedError(WorkFailedError):
    """Trainings break through no fault of the candidate; the seeds that are done are kept."""


@dataclass(frozen=True)
class Entry:
    """A candidate, and what to call it."""

    label: str
    candidate: Candidate


@dataclass
class SeedTraining:
    """One training: of an entry, with the seed of this number (from 1) among the entry's seeds."""

    entry: Entry
    seed_number: int
    seed: int
    records: list[EpochRecord] = field(default_factory=list)
    predictions: bytes = b""
    """The class given to each evaluation image, a byte each; empty if it diverged."""
    diverged_in: int | None = None
    """The epoch in which the loss was not finite."""


class TrainingListener:
    """Hears how the trainings go; does nothing by itself."""

    def worker_ready(self, start_seconds: float, memory_bytes: int) -> None:
        """A worker has its data and begins."""

    def began(self, n_done: int, n_total: int) -> None:
        """So many trainings are wanted, of which some were done before."""

    def epoch(self, training: SeedTraining) -> None:
        """A training has another record."""

    def ended(self, training: SeedTraining) -> None:
        """A training is over, and kept."""


def train_all(
    engine: Engine,
    trainings: Iterable[SeedTraining],
    listener: TrainingListener,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[SeedTraining]:
    """Each training as it ends; fewer than all once `should_stop()`.

    Raises VerificationFailedError if trainings break again and again: a worker that was killed is no verdict.
    """
    waiting, running, n_breaks = deque(trainings), dict[int, SeedTraining](), 0
    numbers = iter(range(len(waiting) + _MAX_BREAKS))
    while waiting or running:
        if should_stop():
            return
        while waiting and len(running) < engine.n_slots:
            number, training = next(numbers), waiting.popleft()
            running[number] = training
            engine.submit(Job(number, training.entry.candidate.to_dict(), training.seed))
        for answer in engine.poll(_POLL_SECONDS):
            if isinstance(answer, Broken):
                n_breaks += 1
                if n_breaks >= _MAX_BREAKS:
                    raise VerificationFailedError(f"{n_breaks} trainings broke; the last one: {answer.reason}")
                waiting.append(_afresh(running.pop(answer.number)))
            elif _take(answer, running, engine, listener):
                yield running.pop(answer.number)  # type: ignore[union-attr]


def _take(answer: Answer, running: dict[int, SeedTraining], engine: Engine, listener: TrainingListener) -> bool:
    """Takes in what a worker said; returns whether its training is over."""
    match answer:
        case Ready(start_seconds, memory_bytes):
            listener.worker_ready(start_seconds, memory_bytes)
            return False
        case EpochDone(number, record):
            running[number].records.append(record)
            listener.epoch(running[number])
            engine.reply(number, True)
            return False
        case Finished(number, _, predictions):
            running[number].predictions = predictions
        case Diverged(number, epoch):
            running[number].diverged_in = epoch
        case _:
            raise TypeError(f"no answer to {answer!r}")
    return True


def _afresh(training: SeedTraining) -> SeedTraining:
    return SeedTraining(training.entry, training.seed_number, training.seed)
