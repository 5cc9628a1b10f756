"""What values the activations of a folded network take on the images that it is calibrated with.

Of ranges for int8 the whole one served best: on a-step5, d-model2, c-final and a-step3, trained for 2 or 3 epochs,
lowest to highest lost 1 to 8 of 10,000 answers and left the smallest error of logits; the 99.99th percentiles, the
99.9th and the least squared error left the same to four times as much (10,000 test images, ranges from 1,500).
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
