"""EpochPlan: all that is drawn at random for an epoch but dropout, and where the device keeps it.

It is drawn on the CPU, so that a seed gives the same batches on every device, and before the epoch begins, so that
nothing within it waits for the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from models.recipe import Recipe
from trainer.training.augment import Changes, draw_changes
from trainer.training.seeds import CHANGES, ORDER, epoch_seed


@dataclass(frozen=True)
class EpochPlan:
    """What happens in an epoch of N images and n batches."""

    order: torch.Tensor
    """The images (N,), as they come."""
    changes: Changes
    """Of the images in that order."""
    rates: torch.Tensor
    """The learning rate of each batch (n,), float32."""
    taken: torch.Tensor
    """The share of the new weights that their moving average takes in at each batch (n,), float32."""

    def tensors(self) -> list[torch.Tensor]:
        """All there is in it, in a fixed order."""
        drawn = (self.order, *self.changes.tensors(), self.rates, self.taken)
        return [tensor for tensor in drawn if tensor is not None]


def draw_plan(
    recipe: Recipe, n_images: int, seed: int, epoch: int, rates: Sequence[float], taken: Sequence[float]
) -> EpochPlan:
    """The plan of an epoch (from 1) of a training with this seed."""
    order, changes = (torch.Generator().manual_seed(epoch_seed(seed, epoch, what)) for what in (ORDER, CHANGES))
    return EpochPlan(
        torch.randperm(n_images, generator=order),
        draw_changes(n_images, recipe, changes),
        torch.tensor(rates, dtype=torch.float32),
        torch.tensor(taken, dtype=torch.float32),
    )


class PlanOnDevice:
    """The plan of the epoch under way and the place in it, at addresses that stay."""

    def __init__(self, like: EpochPlan, device: str) -> None:
        changes = (None if t is None else torch.empty_like(t, device=device) for t in like.changes.tensors())
        self.plan = EpochPlan(
            torch.empty_like(like.order, device=device),
            Changes(*changes),
            torch.empty_like(like.rates, device=device),
            torch.empty_like(like.taken, device=device),
        )
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

    def batch(self, ahead: torch.Tensor) -> tuple[torch.Tensor, Changes]:
        """The images of the batch under way and their changes; `ahead` is 0, 1, ... of its length, on the device."""
        places = ahead + self._n_images
        return self.plan.order.index_select(0, places), self.plan.changes.at(places)

    def rate(self) -> torch.Tensor:
        """The learning rate (1,) of the batch under way."""
        return self.plan.rates.index_select(0, self._n_batches)

    def taken(self) -> torch.Tensor:
        """The share (1,) of the new weights that their average takes in at the batch under way."""
        return self.plan.taken.index_select(0, self._n_batches)

    def next(self, n_images: int) -> None:
        """Goes on to the next batch, behind one of so many images."""
        self._n_images += n_images
        self._n_batches += 1
