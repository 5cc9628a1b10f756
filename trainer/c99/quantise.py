"""Quantisation after the training: a folded network, and images to learn its ranges from, to an IntegerNetwork.

A real value is `scale * (q - zero) + excess`. The excess, one value a channel, is what a whole zero cannot say: that
of the pixels (255 times their mean is not whole) and that of an offset behind an activation. It is no less known for
that, and goes into the bias of the next convolution. So does what the rounding of weights shifts a sum by on average
(Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from models.errors import MnistSearchError
from trainer.c99.integer import (
    SILU_BITS,
    SLOPE_BITS,
    IntegerAdd,
    IntegerConv,
    IntegerMean,
    IntegerNetwork,
    IntegerStep,
    Requantisation,
)
from trainer.c99.ranges import Activation, activations
from trainer.formats.folded import AddStep, ConvStep, FoldedNetwork, KeepStep, PoolStep, Step

_N_LEVELS = 255  # steps from the lowest int8 to the highest
_LARGEST_WEIGHT = 127
_N_INPUTS = 256
_LARGEST_SUM = 2**29  # that of the weights and the bias, each; what is rounded comes to it, and an int32 ends at 2**31
_LARGEST_BEFORE = 2.0**29  # of a sum's step to SiLU's: what such a factor would make of one is far beyond the largest
_LARGEST_SLOPE = 2 ** (31 - SLOPE_BITS)
_LARGEST_LOGIT = 2**20  # a mean adds up to 28 x 28 of them in an int32
_LARGEST_FACTOR = 2.0**16  # of a sum's step to an output's, so that their product with a sum stays in an int64


@dataclass(frozen=True, eq=False)
class _Grid:
    """What the int8 values of a tensor stand for."""

    scale: float
    zero: int
    excess: np.ndarray
    """(C,) float64."""


def quantise(network: FoldedNetwork, pixels: torch.Tensor) -> IntegerNetwork:
    """The network in whole numbers, its ranges from images (N, 28, 28) uint8; a thousand are enough.

    Raises MnistSearchError without images, for weights that are not finite, and for a slope of 128 or more.
    """
    check_finite(network)
    if pixels.dtype != torch.uint8 or pixels.shape[1:] != (28, 28) or not len(pixels):
        got = f"{tuple(pixels.shape)} {pixels.dtype}".replace("torch.", "")
        raise MnistSearchError(f"quantisation needs images of shape (N, 28, 28) uint8, and got {got}")
    before, last, tail = _parts(network)
    seen = activations(network, pixels)  # of the input, and of each step
    grid = kept = _pixel_grid(network)
    steps: list[IntegerStep] = []
    for step, source, target in zip(before, seen, seen[1:], strict=False):
        if isinstance(step, KeepStep):
            kept = grid
        made, grid = _quantised(step, grid, kept, source, target)
        steps.append(made)
    last_conv, logit_scale = _last_conv(last, grid, seen[len(before)])
    return IntegerNetwork((*steps, last_conv), tail, logit_scale)


def check_finite(network: FoldedNetwork) -> None:
    """Raises MnistSearchError if a weight is no number: its training failed, and no text of C says so."""
    for number, step in enumerate(network.steps, 1):
        if isinstance(step, ConvStep) and not all(np.isfinite(array).all() for array in _arrays(step)):
            raise MnistSearchError(f"step {number} of the network has weights that are not finite: train it again")


def _arrays(step: ConvStep) -> tuple[np.ndarray, ...]:
    return step.weight, step.bias, np.array(step.slope), *_factor_and_offset(step)


def _parts(network: FoldedNetwork) -> tuple[tuple[Step, ...], ConvStep, tuple[PoolStep, ...]]:
    """What comes before the last convolution, it, and the pools behind it."""
    place, last = [(i, step) for i, step in enumerate(network.steps) if isinstance(step, ConvStep)][-1]
    tail = tuple(step for step in network.steps[place + 1 :] if isinstance(step, PoolStep))
    return network.steps[:place], last, tail


def _pixel_grid(network: FoldedNetwork) -> _Grid:
    scale = 1 / (255 * network.std)
    zero = min(255, max(0, round(255 * network.mean)))
    return _Grid(scale, zero - 128, np.array([scale * (zero - 255 * network.mean)]))


def _quantised(
    step: Step, grid: _Grid, kept: _Grid, source: Activation, target: Activation
) -> tuple[IntegerStep, _Grid]:
    match step:
        case ConvStep():
            return _conv(step, grid, source, target)
        case AddStep():
            return _add(step, grid, kept, target)
        case PoolStep(is_mean=True):
            return _mean(step, grid, target)
        case _:
            return step, grid


def _add(step: AddStep, grid: _Grid, kept: _Grid, target: Activation) -> tuple[IntegerAdd, _Grid]:
    scale, zero = _scale_and_zero(target, smallest=max(grid.scale, kept.scale) / _LARGEST_FACTOR)
    bias = np.array([-grid.zero, -kept.zero], np.int32)
    by = _requantisation(np.array([grid.scale, kept.scale]) / scale, np.array([zero, 0]))
    excess = grid.excess.copy()
    n_both = min(len(excess), len(kept.excess))
    excess[:n_both] += kept.excess[:n_both]
    return IntegerAdd(step, bias, by), _Grid(scale, zero, excess)


def _mean(step: PoolStep, grid: _Grid, target: Activation) -> tuple[IntegerMean, _Grid]:
    """Means spread less than what they are of, and get finer steps: with the old ones logits of a-step5 were 1.8 times
    as far from those of float32."""
    n = step.kernel**2
    scale, zero = _scale_and_zero(target, smallest=grid.scale / (n * _LARGEST_FACTOR))
    bias = np.array([-n * grid.zero], np.int32)
    by = _requantisation(np.array([grid.scale / (n * scale)]), np.array([zero]))
    return IntegerMean(step, bias, by), _Grid(scale, zero, grid.excess)


def _conv(step: ConvStep, grid: _Grid, source: Activation, target: Activation) -> tuple[IntegerConv, _Grid]:
    weight, bias, sum_scale = _weight_and_bias(step, grid, source)
    factor, offset = _factor_and_offset(step)
    before, result_scale = _before(step, sum_scale)
    scale, zero = _scale_and_zero(target, smallest=float(np.max(result_scale * np.abs(factor))) / _LARGEST_FACTOR)
    whole = np.round(offset / scale)
    by = _requantisation(result_scale * factor / scale, zero + whole)
    made = IntegerConv(step, weight, bias, grid.zero, by, _slope(step), before)
    return made, _Grid(scale, zero, offset - whole * scale)


def _slope(step: ConvStep) -> int:
    if abs(step.slope) >= _LARGEST_SLOPE:
        raise MnistSearchError(f"a slope of {step.slope:.3g} is too steep for int8: leave int8 out (--no-int8)")
    return round(step.slope * (1 << SLOPE_BITS))


def _before(step: ConvStep, sum_scale: np.ndarray) -> tuple[Requantisation | None, np.ndarray]:
    """What brings sums to the steps in which x * sigmoid(x) is computed, and the steps of the activation's result."""
    if not step.has_silu:
        return None, sum_scale
    factor = np.minimum(sum_scale * 2.0**SILU_BITS, _LARGEST_BEFORE)
    return _requantisation(factor, np.zeros(len(factor))), np.full(len(factor), 2.0**-SILU_BITS)


def _last_conv(step: ConvStep, grid: _Grid, source: Activation) -> tuple[IntegerConv, float]:
    """The convolution that ends the int8 part, and the scale of its output: as fine as no input can make overflow."""
    weight, bias, sum_scale = _weight_and_bias(step, grid, source)
    factor, offset = _factor_and_offset(step)
    farthest = max(127 - grid.zero, 128 + grid.zero)
    largest_sum = np.abs(weight.astype(np.int64)).sum((1, 2, 3)) * farthest + np.abs(bias.astype(np.int64))
    largest = largest_sum * sum_scale * max(1.0, abs(step.slope)) * np.abs(factor) + np.abs(offset)
    scale = float(largest.max()) / _LARGEST_LOGIT or 1.0
    before, result_scale = _before(step, sum_scale)
    by = _requantisation(result_scale * factor / scale, np.round(offset / scale))
    return IntegerConv(step, weight, bias, grid.zero, by, _slope(step), before), scale


def _weight_and_bias(step: ConvStep, grid: _Grid, source: Activation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights int8, bias int32, and what one step of the sum stands for in each output channel, (O,) float64."""
    real = step.weight.astype(np.float64)
    n_outputs, n_inputs, _, _ = real.shape
    group = np.arange(n_outputs) // (n_outputs // step.groups)
    excess, mean = (array.reshape(step.groups, n_inputs)[group] for array in (grid.excess, source.mean))  # each (O, I)
    bias = step.bias + (real.sum((2, 3)) * excess).sum(1)
    scale = _weight_scale(real, bias / grid.scale, _LARGEST_SUM / max(1.0, abs(step.slope)))
    whole = np.round(real / scale[:, None, None, None])
    lost = real - whole * scale[:, None, None, None]
    bias += (lost.sum((2, 3)) * (mean - excess)).sum(1)
    sum_scale = grid.scale * scale
    return whole.astype(np.int8), np.round(bias / sum_scale).astype(np.int32), sum_scale


def _weight_scale(real: np.ndarray, bias: np.ndarray, largest_sum: float) -> np.ndarray:
    """(O,): so that the largest weight is 127, unless sums could grow too large. `bias` is in steps of the input."""
    size = np.abs(real)
    largest = size.max((1, 2, 3)) / _LARGEST_WEIGHT
    for_sums = np.maximum(size.sum((1, 2, 3)) * _N_INPUTS, np.abs(bias)) / largest_sum
    scale: np.ndarray = np.maximum(largest, for_sums)
    return np.where(scale > 0, scale, 1.0)


def _factor_and_offset(step: ConvStep) -> tuple[np.ndarray, np.ndarray]:
    if step.affine is None:
        return np.ones(len(step.bias)), np.zeros(len(step.bias))
    return step.affine.factor.astype(np.float64), step.affine.offset.astype(np.float64)


def _scale_and_zero(target: Activation, smallest: float) -> tuple[float, int]:
    """Of int8 that covers the range; a scale of at least `smallest`."""
    scale = max((target.high - target.low) / _N_LEVELS, smallest) or 1.0
    return scale, round(-128 - target.low / scale)


def _requantisation(factor: np.ndarray, offset: np.ndarray) -> Requantisation:
    parts = [_multiplier_and_shift(float(one)) for one in factor]
    multiplier, shift = zip(*parts, strict=True)
    return Requantisation(np.array(multiplier, np.int32), np.array(shift, np.uint8), offset.astype(np.int32))


def _multiplier_and_shift(factor: float) -> tuple[int, int]:
    """`factor` as `multiplier / 2 ** shift`, with a multiplier of 31 bits."""
    mantissa, exponent = math.frexp(factor)
    multiplier, shift = round(mantissa * 2**31), 31 - exponent
    if abs(multiplier) == 2**31:
        multiplier, shift = multiplier // 2, shift - 1
    return (multiplier, shift) if shift <= 62 else (0, 1)  # no int32 times so little comes to half a step
