"""IntegerNetwork: a folded network in whole numbers, and what it computes, exactly.

Activations are int8, weights int8 with a scale for each output channel, sums int32. A sum becomes an activation again
by a 32-bit multiplier and a shift, without a float. Source: Jacob et al., Quantization and Training of Neural Networks
for Efficient Integer-Arithmetic-Only Inference, CVPR 2018.

Notation as in trainer/formats/folded.py; N counts images.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from models.skipping import fitted
from trainer.formats.folded import AddStep, ConvStep, KeepStep, PoolStep

_BATCH_SIZE = 50
SLOPE_BITS = 24
"""A slope is a whole number over 2 to this."""
SILU_BITS = 16
"""x * sigmoid(x) is computed in steps of 2 to minus this."""
_SILU_ENTRY_BITS = 12  # of such steps from an entry of the table to the next: 1/16
_SILU_LARGEST = 2**30
SILU_TABLE = np.round(2**SILU_BITS * (x := np.arange(193) / 16) / (1 + np.exp(-x))).astype(np.int32)
"""Of 0, 1/16, ... 12; from there on it is x, to within 7e-5. What is beyond 2^14 either way is cut."""


@dataclass(frozen=True, eq=False)
class Requantisation:
    """`offset + round(sum * multiplier / 2 ** shift)`, halves away from zero: each an array, one value a channel."""

    multiplier: np.ndarray
    """int32 of either sign."""
    shift: np.ndarray
    """uint8 of 1..62."""
    offset: np.ndarray
    """int32."""

    def of(self, i: int) -> "Requantisation":
        """One of them alone."""
        return Requantisation(self.multiplier[[i]], self.shift[[i]], self.offset[[i]])


@dataclass(frozen=True, eq=False)
class IntegerConv:
    """`bias + sum(weight * (input - input_zero))`, then the activation, then requantised."""

    step: ConvStep
    weight: np.ndarray
    """(O, I, k, k) int8 of -127..127."""
    bias: np.ndarray
    """(O,) int32."""
    input_zero: int
    """The input that stands for 0, and for what lies beyond the border."""
    requantisation: Requantisation
    slope: int
    """Of sums below 0, times 2 ** SLOPE_BITS."""
    before: Requantisation | None
    """What brings a sum to the steps of SILU_BITS, where that is the activation; its result has the same steps."""


@dataclass(frozen=True, eq=False)
class IntegerMean:
    """`bias + sum(input)` of each square, then requantised: one value serves all channels."""

    step: PoolStep
    bias: np.ndarray
    """(1,) int32."""
    requantisation: Requantisation


@dataclass(frozen=True, eq=False)
class IntegerAdd:
    """The sum of `value + bias`, requantised, of the input and of what was kept, each with its own numbers."""

    step: AddStep
    bias: np.ndarray
    """(2,) int32: of the input, and of what was kept."""
    requantisation: Requantisation
    """Of both likewise."""


_Computed = IntegerConv | IntegerMean | IntegerAdd | PoolStep
IntegerStep = _Computed | KeepStep


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """Steps from pixels minus 128 to 10 logits.

    `steps` give int8, but for the last of them, a convolution: its output is int32 in steps of `logit_scale`, so that
    what nearly ties stays apart. `tail` are the pools behind it, if any, on that int32; a mean is rounded, halves away
    from zero.
    """

    steps: tuple[IntegerStep, ...]
    tail: tuple[PoolStep, ...]
    logit_scale: float

    @property
    def last_conv(self) -> IntegerConv:
        """The convolution that ends the int8 part."""
        last = self.steps[-1]
        assert isinstance(last, IntegerConv)
        return last

    def logits(self, pixels: torch.Tensor) -> np.ndarray:
        """Images (N, 28, 28) uint8 to (N, 10) int32: times `logit_scale` they are what the trained network gives."""
        batches = pixels.cpu().unsqueeze(1).split(_BATCH_SIZE)  # each (B, 1, 28, 28)
        return np.concatenate([self._batch_logits(batch) for batch in batches]).astype(np.int32)

    def _batch_logits(self, pixels: torch.Tensor) -> np.ndarray:
        x = kept = pixels.double() - 128  # float64 is exact for all sums here, and has fast convolutions
        for step in self.steps:
            if isinstance(step, KeepStep):
                kept = x
                continue
            x = _output(step, x, kept)
            if step is not self.steps[-1]:
                x = x.clamp(-128, 127)
        for pool in self.tail:
            x = _pooled(x, pool)
        return x.flatten(1).numpy()


def _output(step: _Computed, x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    match step:
        case IntegerAdd():
            by = step.requantisation
            own, other = (_requantised(part + step.bias[i], by.of(i)) for i, part in enumerate((x, kept)))
            return own + fitted(other, x.shape[1], x.shape[2])
        case IntegerConv(conv):
            x = functional.conv2d(
                x - step.input_zero, torch.from_numpy(step.weight).double(), torch.from_numpy(step.bias).double(),
                conv.stride, conv.padding, groups=conv.groups,
            )  # fmt: skip
            return _requantised(_activated(step, x), step.requantisation)
        case IntegerMean(pool):
            return _requantised(_square_sums(x, pool.kernel) + int(step.bias[0]), step.requantisation)
        case _:
            return functional.max_pool2d(x, step.kernel)


def _activated(conv: IntegerConv, sums: torch.Tensor) -> torch.Tensor:
    if conv.before is not None:
        return _silu(_requantised(sums, conv.before).long()).double()
    below = _rounded_quotient(sums.long() * conv.slope, torch.tensor(1 << SLOPE_BITS))
    return torch.where(sums < 0, below.double(), sums)


def _silu(x: torch.Tensor) -> torch.Tensor:
    """Between two entries of the table along a line; what is below 0 follows from silu(-x) = silu(x) - x."""
    size = x.abs().clamp(max=_SILU_LARGEST)
    table = torch.from_numpy(SILU_TABLE).long()
    place = (size >> _SILU_ENTRY_BITS).clamp(max=len(table) - 2)
    lower, upper = table[place], table[place + 1]
    rest = size - (place << _SILU_ENTRY_BITS)
    within = lower + (((upper - lower) * rest + (1 << _SILU_ENTRY_BITS - 1)) >> _SILU_ENTRY_BITS)
    above = torch.where(size < (len(table) - 1) << _SILU_ENTRY_BITS, within, size)
    return torch.where(x < 0, above - size, above)


def _pooled(x: torch.Tensor, pool: PoolStep) -> torch.Tensor:
    if not pool.is_mean:
        return functional.max_pool2d(x, pool.kernel)
    return _rounded_quotient(_square_sums(x, pool.kernel).long(), torch.tensor(pool.kernel**2)).double()


def _square_sums(x: torch.Tensor, kernel: int) -> torch.Tensor:
    return functional.avg_pool2d(x, kernel, divisor_override=1)


def _requantised(sums: torch.Tensor, by: Requantisation) -> torch.Tensor:
    multiplier, shift, offset = (torch.from_numpy(part).long()[:, None, None] for part in _parts(by))
    return (offset + _rounded_quotient(sums.long() * multiplier, 1 << shift)).double()


def _parts(by: Requantisation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return by.multiplier, by.shift, by.offset


def _rounded_quotient(value: torch.Tensor, divisor: torch.Tensor) -> torch.Tensor:
    """`value / divisor` to the nearest whole number, halves away from zero."""
    return value.sign() * ((value.abs() + divisor // 2) // divisor)
