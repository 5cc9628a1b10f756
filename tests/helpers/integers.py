"""What an integer network computes, from the definition and in Python's whole numbers: an oracle for torch and for C.

Slow, and written without a look at either: sums over an array that is padded with what stands for 0, no float anywhere.
"""

import math

import numpy as np

from trainer.c99.integer import IntegerAdd, IntegerConv, IntegerMean, IntegerNetwork, Requantisation
from trainer.formats.folded import KeepStep, PoolStep


def reference_logits(network: IntegerNetwork, pixels: np.ndarray) -> np.ndarray:
    """Images (N, 28, 28) uint8 to (N, 10) int64."""
    x = kept = pixels[:, None].astype(np.int64) - 128
    for number, step in enumerate(network.steps, 1):
        is_last = number == len(network.steps)
        match step:
            case KeepStep():
                kept = x
            case IntegerAdd():
                x = _sum(step, x, kept)
            case IntegerConv():
                x = requantised(_conv_sums(step, x), step.requantisation)
            case IntegerMean():
                x = requantised(_squares(x, step.step.kernel).sum((3, 5)) + step.bias[0], step.requantisation)
            case PoolStep():
                x = _squares(x, step.kernel).max((3, 5))
        x = x if is_last else np.clip(x, -128, 127)
    for pool in network.tail:
        squares = _squares(x, pool.kernel)
        x = _nearest(squares.sum((3, 5)), pool.kernel**2) if pool.is_mean else squares.max((3, 5))
    return x.reshape(len(pixels), 10).astype(np.int64)


def _sum(add: IntegerAdd, x: np.ndarray, kept: np.ndarray) -> np.ndarray:
    parts = [requantised(part + add.bias[i], add.requantisation.of(i)) for i, part in enumerate((x, kept))]
    margin, n_both = (kept.shape[2] - x.shape[2]) // 2, min(x.shape[1], kept.shape[1])
    parts[0][:, :n_both] += parts[1][:, :n_both, margin : margin + x.shape[2], margin : margin + x.shape[3]]
    return parts[0]


def requantised(sums: np.ndarray, by: Requantisation) -> np.ndarray:
    """`offset + round(sum * multiplier / 2 ** shift)` of (N, C, H, W), for one value or one for each channel."""
    columns = [
        np.array([int(value) for value in part], dtype=object)[:, None, None]
        for part in (by.multiplier, by.shift, by.offset)
    ]
    multiplier, shift, offset = np.broadcast_arrays(*columns, subok=False)
    q: np.ndarray = offset + _nearest(sums.astype(object) * multiplier, 2**shift)
    return q.astype(np.int64)


def _nearest(numerator: np.ndarray, denominator: "int | np.ndarray") -> np.ndarray:
    """To the nearest whole number; a half goes away from 0."""
    up = (2 * numerator + denominator) // (2 * denominator)  # floor(q + 1/2): a half goes up
    down = -((-2 * numerator + denominator) // (2 * denominator))
    return np.where(numerator >= 0, up, down)


def _conv_sums(conv: IntegerConv, x: np.ndarray) -> np.ndarray:
    step, (n_outputs, n_inputs, kernel, _) = conv.step, conv.weight.shape
    p = step.padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=conv.input_zero) - conv.input_zero
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (2, 3))
    windows = windows[:, :, :: step.stride, :: step.stride]  # (N, C, H, W, k, k)
    outputs = []
    for channel in range(n_outputs):
        first = channel // (n_outputs // step.groups) * n_inputs
        seen = windows[:, first : first + n_inputs]
        outputs.append((seen * conv.weight[channel].astype(np.int64)[:, None, None]).sum((1, 4, 5)))
    sums = np.stack(outputs, 1) + conv.bias.astype(np.int64)[:, None, None]
    assert np.abs(sums).max() < 2**31, "an int32 would have overflowed"
    return _activated(conv, sums)


def _activated(conv: IntegerConv, sums: np.ndarray) -> np.ndarray:
    if conv.before is not None:
        return np.vectorize(_silu)(requantised(sums, conv.before))  # type: ignore[no-any-return]
    slope = round(conv.step.slope * 2**24)
    return np.where(sums < 0, _nearest(sums * slope, np.array(2**24)), sums)


def _silu(x: int) -> int:
    """x * sigmoid(x), both in 1/65536: on the line between two neighbours of those of 0, 1/16, ..., 12, x above it."""
    if x < 0:
        return _silu(-x) + x
    if x >= 12 * 65536:
        return min(x, 2**30)
    below, above = (round(65536 * at / (1 + math.exp(-at))) for at in (x // 4096 / 16, (x // 4096 + 1) / 16))
    return below + ((above - below) * (x % 4096) + 2048) // 4096


def _squares(x: np.ndarray, kernel: int) -> np.ndarray:
    """(N, C, H, k, W, k): the squares of a pool, a rest at the border left out."""
    n, channels, side, _ = x.shape
    out = side // kernel
    return x[:, :, : out * kernel, : out * kernel].reshape(n, channels, out, kernel, out, kernel)
