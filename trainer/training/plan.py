"""EpochPlan: all that is drawn at random for an epoch but dropout, and where the device keeps it.

It is drawn on the CPU, so that a seed gives the same batches on every device, and before the epoch begins, so that
nothing within it waits for the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from models.recipe import Recipe, strength
from trainer.training.augment import Changes, draw_changes
from trainer.training.seeds import CHANGES, ORDER, epoch_seed


@dataclass(frozen=True)
class EpochPlan:
    """What happens in an epoch of N images and n batches."""

    order: torch.Tensor
    """The images (N,), as they come."""
    changes: Changes
    """Of the images in that order."""
    numbers: torch.Tensor
    """Of each batch (n, 2), float32: its learning rate, and the share of the new weights that the average takes in."""

    def tensors(self) -> list[torch.Tensor]:
        """All there is in it, in a fixed order."""
        drawn = (self.order, *self.changes.tensors(), self.numbers)
        return [tensor for tensor in drawn if tensor is not None]


def draw_plan(
    recipe: Recipe, n_images: int, seed: int, epoch: int, rates: Sequence[float], taken: Sequence[float]
) -> EpochPlan:
    """The plan of an epoch (from 1) of a training with this seed."""
    order, changes = (torch.Generator().manual_seed(epoch_seed(seed, epoch, what)) for what in (ORDER, CHANGES))
    return EpochPlan(
        torch.randperm(n_images, generator=order),
        draw_changes(n_images, recipe, changes, strength(recipe, epoch)),
        torch.tensor([rates, taken], dtype=torch.float32).T.contiguous(),
    )


@dataclass(frozen=True)
class Batch:
    """What a step trains on."""

    places: torch.Tensor
    """The places (B,) in the epoch's order."""
    index: torch.Tensor
    """The images (B,) there."""
    changes: Changes
    """What is done to them."""


class PlanOnDevice:
    """The plan of the epoch under way and the place in it, at addresses that stay."""

    def __init__(self, like: EpochPlan, device: str) -> None:
        changes = (None if t is None else torch.empty_like(t, device=device) for t in like.changes.tensors())
        self.plan = EpochPlan(
            torch.empty_like(like.order, device=device),
            Changes(*changes),
            torch.empty_like(like.numbers, device=device),
        )
        self._numbers = torch.zeros(1, 2, device=device)
        self.rate = self._numbers.view(2)[:1]
        """The learning rate (1,) of the batch under way."""
        self.taken = self._numbers.view(2)[1:]
        """The share (1,) of the new weights that their average takes in at the batch under way."""
        # (1,) and not scalars: torch reads a scalar index back to the host.
        self._n_images = torch.zeros(1, dtype=torch.int64, device=device)
        self._n_batches = torch.zeros(1, dtype=torch.int64, device=device)
        is_cuda = device.startswith("cuda")
        self._staged = [torch.empty_like(t, pin_memory=True) for t in like.tensors()] if is_cuda else None

    def load(self, plan: EpochPlan) -> None:
        """Puts a plan in the place of the last one, whose epoch is over, and goes to its beginning."""
        source = plan.tensors()
        if self._staged is not None:  # only from pinned memory does a copy not wait
            for staged, tensor in zip(self._staged, source, strict=True):
                staged.copy_(tensor)
            source = self._staged
        for ours, tensor in zip(self.plan.tensors(), source, strict=True):
            ours.copy_(tensor, non_blocking=True)
        self.rewind()

    def rewind(self) -> None:
        """Goes to the first batch."""
        self._n_images.zero_()
        self._n_batches.zero_()

    def batch(self, ahead: torch.Tensor) -> Batch:
        """The batch under way; `ahead` is 0, 1, ... of its length, on the device."""
        places = ahead + self._n_images
        torch.index_select(self.plan.numbers, 0, self._n_batches, out=self._numbers)
        return Batch(places, self.plan.order.index_select(0, places), self.plan.changes.at(places))

    def next(self, n_images: int) -> None:
        """Goes on to the next batch, behind one of so many images."""
        self._n_images += n_images
        self._n_batches += 1
