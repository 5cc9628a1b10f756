"""The learning rate of each batch, as numbers: an epoch's rates are known before it begins.

So a GPU can be given all of them at once. A test holds them to torch's own schedulers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from models.recipe import Recipe
from models.schedules import Constant, Cosine, MultiStep, OneCycle, Plateau, Step

_SMALLEST_GAIN = 1e-4
"""The share by which a loss must fall to count, as in torch's ReduceLROnPlateau."""
_SMALLEST_CUT = 1e-8
"""A rate is not cut by less than this, as there."""


@dataclass(frozen=True)
class PlateauState:
    """How a rate that answers to the loss stands."""

    rate: float
    best_loss: float = math.inf
    n_bad_epochs: int = 0


class Rates:
    """The learning rates of a training: call `of_epoch` before each epoch, and `after_epoch` behind it."""

    def __init__(self, recipe: Recipe, batches_per_epoch: int) -> None:
        self._recipe = recipe
        self._n = batches_per_epoch
        self._of_batch = _by_batch(recipe, batches_per_epoch)
        self.plateau = PlateauState(recipe.lr)
        """All there is to keep between two epochs; without a plateau schedule it never changes."""

    def of_epoch(self, epoch: int) -> list[float]:
        """The rate of each batch of an epoch, counted from 1."""
        schedule = self._recipe.schedule
        if isinstance(schedule, Plateau):
            return [self.plateau.rate] * self._n
        return [self._of_batch((epoch - 1) * self._n + batch) for batch in range(self._n)]

    def after_epoch(self, train_loss: float) -> None:
        """To be told the mean training loss of each epoch."""
        if isinstance(self._recipe.schedule, Plateau):
            self.plateau = _after(self.plateau, train_loss, self._recipe.schedule)


def _after(state: PlateauState, loss: float, schedule: Plateau) -> PlateauState:
    if loss < state.best_loss * (1 - _SMALLEST_GAIN):
        return PlateauState(state.rate, loss)
    if state.n_bad_epochs < schedule.patience:
        return PlateauState(state.rate, state.best_loss, state.n_bad_epochs + 1)
    lower = state.rate * schedule.factor
    return PlateauState(lower if state.rate - lower > _SMALLEST_CUT else state.rate, state.best_loss)


def _by_batch(recipe: Recipe, n: int) -> Callable[[int], float]:
    """The rate of a batch, counted from 0 through the whole training, for schedules that do not answer to the loss."""
    lr, n_batches = recipe.lr, recipe.epochs * n
    match recipe.schedule:
        case Constant() | Plateau():
            return lambda batch: lr
        case Step(every, gamma):
            return lambda batch: lr * gamma ** (batch // n // every)
        case MultiStep(milestones, gamma):
            return lambda batch: lr * gamma ** sum(batch // n >= milestone for milestone in milestones)
        case OneCycle(warmup_share, start_divisor, end_divisor):
            return _one_cycle(lr, max(n_batches, 2), warmup_share, start_divisor, end_divisor)
        case Cosine(warmup_epochs):
            return _cosine(lr, n_batches, warmup_epochs * n)
        case _:
            raise TypeError(f"no rates for {recipe.schedule!r}")


def _one_cycle(
    lr: float, n_batches: int, warmup_share: float, start_divisor: float, end_divisor: float
) -> Callable[[int], float]:
    # As torch counts: the first batch is step 0, so the peak is a step before the rise has had its share of batches.
    peak, last = warmup_share * n_batches - 1, n_batches - 1

    def rate(batch: int) -> float:
        if batch <= peak and peak > 0:
            return _half_cosine(lr / start_divisor, lr, batch / peak)
        return _half_cosine(lr, lr / end_divisor, min((batch - peak) / (last - peak), 1.0))

    return rate


def _cosine(lr: float, n_batches: int, n_warmup: int) -> Callable[[int], float]:
    n_falling = n_batches - n_warmup

    def rate(batch: int) -> float:
        if batch < n_warmup:
            return lr * (1 + (n_warmup - 1) * batch / n_warmup) / n_warmup
        return _half_cosine(lr, 0.0, min((batch - n_warmup) / n_falling, 1.0))

    return rate


def _half_cosine(start: float, end: float, share: float) -> float:
    """From `start` at a share of 0 to `end` at 1."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
