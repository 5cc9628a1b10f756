"""An exponential moving average of a network's weights over the batches of its training."""

from copy import deepcopy

import torch
from torch import nn

from trainer.training.flat import flatten


def taken_shares(decay: float, epoch: int, batches_per_epoch: int) -> list[float]:
    """The share of the new weights that an average takes in at each batch of an epoch (from 1).

    What it keeps of itself grows to `decay`: it is (1 + n) / (10 + n) with n states in the average, and nothing at the
    first. Without that the first weights, which know nothing, would weigh on a short training to its end.
    """
    first = (epoch - 1) * batches_per_epoch
    return [max(1 - decay, 9 / (10 + n)) if n else 1.0 for n in range(first, first + batches_per_epoch)]


class WeightAverage:
    """Keeps a copy, `network`, whose weights and batch statistics are averages of those it was shown."""

    def __init__(self, network: nn.Sequential, weights: torch.Tensor) -> None:
        """`weights` are those of `network`, as `flatten` gave them."""
        self.network = deepcopy(network)
        self.weights = flatten(self.network)
        self._source = weights

    @torch.no_grad()
    def update(self, taken: torch.Tensor) -> None:
        """Takes in the weights as they are now by this share (1,), on their device."""
        self.weights.lerp_(self._source, taken)
