"""What a dispatcher and a worker say to each other: plain data, one message a line of work.

dispatcher → worker    Job, then True (go on) or False (stop) after each EpochDone; None ends the worker
worker → dispatcher    Ready, then for each job EpochDone... and one of Finished, Diverged, Broken
                       (nothing more once it was told to stop)
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


@dataclass(frozen=True)
class Ready:
    """The worker has its data and waits for a job."""

    start_seconds: float
    """From the start of its process."""
    memory_bytes: int
    """Its peak resident memory so far, the data it shares with the others included."""


@dataclass(frozen=True)
class EpochDone:
    """An epoch is over; the worker waits to be told whether to go on."""

    number: int
    record: EpochRecord


@dataclass(frozen=True)
class Finished:
    """The last epoch was told to be kept; `weights` is the network's state dict, by torch.save."""

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
    """The training raised what it should not, or the worker is gone; `reason` is one line."""

    number: int
    reason: str
    worker_ends: bool = False
    """Whether the worker ends with this: its device will not work for it again."""


Answer = Ready | EpochDone | Finished | Diverged | Broken
"""What a worker sends."""
