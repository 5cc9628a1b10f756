"""What a dispatcher and a worker say to each other: plain data. Neither waits for the other's answer.

dispatcher → worker    Job and Stop, as they come; None ends the worker
worker → dispatcher    lists of messages: Ready first, then for each job EpochDone... and one of Finished, Diverged,
                       Broken (nothing more once it has seen the job's Stop), BatchesDone within a long epoch; Slots
                       when it has fewer of them; Leaving before it ends by itself
"""

from dataclasses import dataclass
from typing import Any

from trainer.training.records import EpochRecord


@dataclass(frozen=True)
class Job:
    """A candidate to train, as `Candidate.to_dict` gives it. `number` comes back in every answer."""

    number: int
    candidate: dict[str, Any]
    seed: int
    state: bytes = b""
    """Where its training goes on, as an `EpochDone` of it had; empty if it begins."""


@dataclass(frozen=True)
class Stop:
    """The job of this number is over, in the middle of an epoch too; what a GPU was already given of it still runs."""

    number: int


@dataclass(frozen=True)
class Ready:
    """The worker has its data and waits for jobs."""

    start_seconds: float
    """From the start of its process, or from when somebody else was asked for one."""
    memory_bytes: int
    """Its peak resident memory so far, the data it shares with the others included."""
    slots: int = 1
    """How many jobs it trains at once."""


@dataclass(frozen=True)
class Slots:
    """The worker trains fewer jobs at once from now on; those it has none for wait in it."""

    n: int
    reason: str


@dataclass(frozen=True)
class BatchesDone:
    """How far an epoch is, for whoever watches: nothing is decided by it, and nobody keeps it."""

    number: int
    share: float
    """Of the epoch's batches, from 0 to 1."""


@dataclass(frozen=True)
class EpochDone:
    """An epoch is over; the next one has begun, if there is one."""

    number: int
    record: EpochRecord
    worker: int | None = None
    """Which worker, from 1: its engine knows."""
    state: bytes = b""
    """The training after this epoch, by `TrainingState.to_bytes`; empty after the last."""


@dataclass(frozen=True)
class Finished:
    """The last epoch is over; `weights` is the network's state dict, by torch.save."""

    number: int
    weights: bytes
    predictions: bytes = b""
    """The class the network gives each evaluation image, a byte each."""


@dataclass(frozen=True)
class Diverged:
    """The loss was not finite."""

    number: int
    epoch: int


@dataclass(frozen=True)
class Broken:
    """The training raised what it should not, or its worker is gone; `reason` is one line."""

    number: int
    reason: str


@dataclass(frozen=True)
class Leaving:
    """The worker ends with this: its device will not work for it again."""

    reason: str
    without_graphs: bool = False
    """Whether the one in its place is to train without CUDA graphs, since one could not be captured."""


@dataclass(frozen=True)
class Lost:
    """A worker is gone, and another one starts in its place; its engine says so."""

    reason: str
    n_jobs: int
    """Those it had, each of which is run once more or Broken."""


Answer = Ready | Slots | Lost | BatchesDone | EpochDone | Finished | Diverged | Broken
"""What a dispatcher hears of a worker."""

Message = Ready | Slots | BatchesDone | EpochDone | Finished | Diverged | Broken | Leaving
"""What a worker sends, in lists."""
