"""What values the activations of a folded network take on the images that it is calibrated with.

The whole range, lowest to highest, is what int8 covers. Of a-step5 and d-model2, trained for 3 epochs of MNIST, the
99.99th percentiles left logits 1.1 and 1.3 times as far from float32, the 99.9th 2.9 and 3.2 times, the range of the
least squared error 1.0 and 1.15 times (root mean square, 10,000 test images, ranges from 1,500 training images).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from trainer.formats.folded import FoldedNetwork

_BATCH_SIZE = 50


@dataclass(frozen=True, eq=False)
class Activation:
    """The values of one tensor, over all images."""

    low: float
    """The lowest, or 0 if that is lower: what lies beyond a border is in the range."""
    high: float
    """The highest, or 0."""
    mean: np.ndarray
    """(C,) of each channel, float64."""


def activations(network: FoldedNetwork, pixels: torch.Tensor) -> list[Activation]:
    """Of the input, normalised, and of each step's output, on images (N, 28, 28) uint8."""
    batches = [list(_tensors(network, batch)) for batch in pixels.cpu().unsqueeze(1).split(_BATCH_SIZE)]
    return [_joined(parts) for parts in zip(*batches, strict=True)]


@dataclass(frozen=True, eq=False)
class _Part:
    low: float
    high: float
    sums: np.ndarray
    count: int


def _tensors(network: FoldedNetwork, batch: torch.Tensor) -> Iterator[_Part]:
    """What is to be known of the input and of each output, for images (B, 1, 28, 28)."""
    # In float64, so that the order of sums, which depends on threads, does not show in what is made of this.
    x = (batch.double() / 255 - network.mean) / network.std
    yield _part(x)
    with torch.no_grad():
        for step in network.module().double().steps:
            x = step(x)
            yield _part(x)


def _part(x: torch.Tensor) -> _Part:
    return _Part(float(x.min()), float(x.max()), x.sum((0, 2, 3)).numpy(), x[:, 0].numel())


def _joined(parts: tuple[_Part, ...]) -> Activation:
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    mean = np.sum([part.sums for part in parts], axis=0) / sum(part.count for part in parts)
    return Activation(min(low, 0.0), max(high, 0.0), mean)
