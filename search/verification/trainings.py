"""Trains candidates with given seeds on an engine, whatever their order, and says what each training came to."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from models.candidate import Candidate
from models.errors import WorkFailedError
from search.engines.protocol import Engine
from trainer.training.records import EpochRecord
from trainer.workers.messages import Answer, BatchesDone, Broken, Diverged, EpochDone, Finished, Job, Lost, Ready, Slots

_POLL_SECONDS = 0.25


class VerificationFailedError(WorkFailedError):
    """A training broke, and once more: that is no verdict on its candidate; the seeds that are done are kept."""


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
    epoch_share: float = 0.0
    """How much of the next epoch is done, where its worker tells."""
    predictions: bytes = b""
    """The class given to each evaluation image, a byte each; empty if it diverged."""
    weights: bytes | None = None
    """The trained network's state dict, by torch.save; None if it diverged."""
    diverged_in: int | None = None
    """The epoch in which the loss was not finite."""


class TrainingListener:
    """Hears how the trainings go; does nothing by itself."""

    def worker_ready(self, worker: Ready) -> None:
        """A worker has its data and begins."""

    def slots_fell(self, worker: Slots) -> None:
        """A worker has memory for fewer trainings than it began with."""

    def worker_lost(self, worker: Lost) -> None:
        """A worker is gone, and another one starts."""

    def began(self, n_done: int, n_total: int) -> None:
        """So many trainings are wanted, of which some were done before."""

    def epoch(self, training: SeedTraining) -> None:
        """A training has another record."""

    def moved(self, training: SeedTraining) -> None:
        """A training has more of its next epoch done."""

    def turned(self) -> None:
        """Comes several times a second, so that a clock may leave out what is longer: the machine was suspended."""

    def waits(self, line: str) -> None:
        """The storage is waited for, or works again."""

    def ended(self, training: SeedTraining) -> None:
        """A training is over, and kept."""


def train_all(
    engine: Engine,
    trainings: Iterable[SeedTraining],
    listener: TrainingListener,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[SeedTraining]:
    """Each training as it ends; fewer than all once `should_stop()`.

    Raises VerificationFailedError if one breaks, which the engine has then tried twice: that is no verdict.
    """
    waiting, running, numbers = deque(trainings), dict[int, SeedTraining](), count()
    while waiting or running:
        listener.turned()
        if should_stop():
            return
        while waiting and engine.n_free > 0:
            number, training = next(numbers), waiting.popleft()
            running[number] = training
            engine.submit(Job(number, training.entry.candidate.to_dict(), training.seed))
        broken: VerificationFailedError | None = None
        for answer in engine.poll(_POLL_SECONDS):
            if isinstance(answer, Broken):
                training = running.pop(answer.number)
                name = f"{training.entry.label}, seed {training.seed_number}"
                broken = VerificationFailedError(f"{name} broke twice; the last time: {answer.reason}")
            elif _take(answer, running, listener):
                yield running.pop(answer.number)  # type: ignore[union-attr]
        if broken is not None:
            raise broken  # now that all is kept which ended along with it


def _take(answer: Answer, running: dict[int, SeedTraining], listener: TrainingListener) -> bool:
    """Takes in what a worker said; returns whether its training is over."""
    match answer:
        case Ready():
            listener.worker_ready(answer)
            return False
        case Slots():
            listener.slots_fell(answer)
            return False
        case Lost():
            listener.worker_lost(answer)
            return False
        case BatchesDone(number, share):
            running[number].epoch_share = share
            listener.moved(running[number])
            return False
        case EpochDone(number, record):
            running[number].records.append(record)
            running[number].epoch_share = 0.0
            listener.epoch(running[number])
            return False
        case Finished(number, weights, predictions):
            running[number].weights, running[number].predictions = weights, predictions
        case Diverged(number, epoch):
            running[number].diverged_in = epoch
        case _:
            raise TypeError(f"no answer to {answer!r}")
    return True
