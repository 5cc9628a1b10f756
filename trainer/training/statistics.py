"""Batch statistics for the network that is evaluated, estimated anew from training images as they are."""

import torch
from torch import nn

from trainer.data.images import TrainingData

_BATCH = 500


class StatisticsEstimate:
    """Called, it puts new means and variances into a network's batch normalisations. A work of a runner.

    Averages along a training are of other weights, and of images that were changed: an average of weights has seen
    neither with its own. As PreciseBN (Wu and Johnson, "Rethinking 'Batch' in BatchNorm", arXiv 2105.07576).
    """

    def __init__(self, network: nn.Module, data: TrainingData, n_images: int) -> None:
        """From the first `n_images` training images, or all there are, in equal parts."""
        self._network = network
        self._norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        self._dropouts = [module for module in network.modules() if isinstance(module, nn.Dropout)]
        self._mean, self._std = data.mean, data.std
        pixels = data.train.pixels[:n_images]
        self._parts = pixels.tensor_split(max(1, len(pixels) // _BATCH))

    @torch.no_grad()
    def __call__(self) -> None:
        self._network.train()
        for dropout in self._dropouts:
            dropout.eval()
        momenta = [norm.momentum for norm in self._norms]
        for number, part in enumerate(self._parts, 1):
            for norm in self._norms:
                norm.momentum = 1 / number  # all parts alike in the end
            self._network((part.unsqueeze(1).float() / 255 - self._mean) / self._std)
        for norm, momentum in zip(self._norms, momenta, strict=True):
            norm.momentum = momentum
