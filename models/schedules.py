"""Learning-rate schedules as data. Lengths are in epochs, or shares of the training where the name says so.

The peak learning rate is the recipe's `lr`; every schedule is a shape of 0..1 times it. torch's schedulers run them
(`trainer/training/optim.py`).
"""

import math
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import ClassVar

MOST_EPOCHS = 10_000
"""Of a training, and of what a schedule counts in epochs."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the learning rate moves during a training."""

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        floats_from_ints(self)

    def faults(self) -> list[str]:
        """What is wrong with the values."""
        return []


@dataclass(frozen=True, slots=True)
class Constant(Schedule):
    """The same rate from the first batch to the last."""

    kind: ClassVar[str] = "constant"


@dataclass(frozen=True, slots=True)
class Step(Schedule):
    """The rate times `gamma` after every `every` epochs."""

    kind: ClassVar[str] = "step"
    every: int = 6
    gamma: float = 0.1

    def faults(self) -> list[str]:
        return _whole("every", self.every, 1) + _in_range("gamma", self.gamma, 0, 1)


@dataclass(frozen=True, slots=True)
class MultiStep(Schedule):
    """The rate times `gamma` after each epoch of `milestones`."""

    kind: ClassVar[str] = "multistep"
    milestones: tuple[int, ...] = (8, 12)
    gamma: float = 0.1

    def faults(self) -> list[str]:
        return _rising_epochs("milestones", self.milestones) + _in_range("gamma", self.gamma, 0, 1)


@dataclass(frozen=True, slots=True)
class OneCycle(Schedule):
    """Up from `lr / start_divisor` over `warmup_share` of the batches, then down to `lr / end_divisor`, by cosines.

    Source: Smith and Topin, Super-Convergence, arXiv 1708.07120, as torch's OneCycleLR (momentum is not cycled).
    """

    kind: ClassVar[str] = "onecycle"
    warmup_share: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4

    def faults(self) -> list[str]:
        faults = _in_range("warmup_share", self.warmup_share, 0, 1)
        for name in ("start_divisor", "end_divisor"):
            faults += _at_least(name, getattr(self, name), 1)
        return faults


@dataclass(frozen=True, slots=True)
class Cosine(Schedule):
    """Half a cosine from `lr` to zero, batch by batch, after `warmup_epochs` of a linear rise."""

    kind: ClassVar[str] = "cosine"
    warmup_epochs: int = 0

    def faults(self) -> list[str]:
        return _whole("warmup_epochs", self.warmup_epochs, 0)


@dataclass(frozen=True, slots=True)
class Plateau(Schedule):
    """The rate times `factor` once the training loss has not fallen for `patience` epochs.

    The training loss and not the evaluation loss, so that what judges a candidate never steers it.
    """

    kind: ClassVar[str] = "plateau"
    factor: float = 0.1
    patience: int = 2

    def faults(self) -> list[str]:
        return _in_range("factor", self.factor, 0, 1) + _whole("patience", self.patience, 0)


def stretched(schedule: Schedule, factor: float) -> Schedule:
    """The same shape for a training `factor` times as long: what is counted in epochs grows or shrinks with it."""
    match schedule:
        case Step(every, gamma):
            return Step(_stretched(every, factor), gamma)
        case MultiStep(milestones, gamma):
            return MultiStep(tuple(sorted({_stretched(m, factor) for m in milestones})), gamma)
        case Cosine(warmup_epochs):
            return Cosine(min(MOST_EPOCHS, round(warmup_epochs * factor)))
        case _:  # shares of the training, or what answers to the loss
            return schedule


def _stretched(epochs: int, factor: float) -> int:
    return min(MOST_EPOCHS, max(1, round(epochs * factor)))


SCHEDULES: dict[str, type[Schedule]] = {cls.kind: cls for cls in (Constant, Step, MultiStep, OneCycle, Cosine, Plateau)}


def _at_least(name: str, value: object, minimum: float) -> list[str]:
    if isinstance(value, float) and minimum <= value < math.inf:
        return []
    return [f"{name} is {value!r}: it must be a number of at least {minimum}"]


def _whole(name: str, value: object, minimum: int) -> list[str]:
    if type(value) is not int or value < minimum:
        return [f"{name} is {value!r}: it must be a whole number of at least {minimum}"]
    return [] if value <= MOST_EPOCHS else [f"{name} is {value}: it may be {MOST_EPOCHS:,} at most"]


def _rising_epochs(name: str, value: object) -> list[str]:
    epochs = list(value) if isinstance(value, tuple) else value
    if isinstance(epochs, list) and epochs and all(type(epoch) is int and epoch >= 1 for epoch in epochs):
        if max(epochs) > MOST_EPOCHS:
            return [f"{name} has {max(epochs)}: it may be {MOST_EPOCHS:,} at most"]
        rises = epochs == sorted(set(epochs))
        return [] if rises else [f"{name} is {epochs!r}: each epoch must be later than the one before"]
    return [f"{name} is {epochs!r}: it must be a list of epochs, each at least 1"]


def _in_range(name: str, value: object, low: float, high: float) -> list[str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low < value < high:
        return []
    return [f"{name} is {value!r}: it must be above {low} and below {high}"]


def floats_from_ints(value: object) -> None:
    """Makes 7 and 7.0, 0.0 and -0.0, one value in float fields, so that equal candidates have one JSON and id."""
    for f in fields(value):  # type: ignore[arg-type]
        given = getattr(value, f.name)
        if f.type is float and type(given) in (int, float):
            with suppress(OverflowError):  # beyond any float: left for the range check to name
                object.__setattr__(value, f.name, float(given) + 0.0)
