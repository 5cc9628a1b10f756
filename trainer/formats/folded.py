"""Folded: a trained network as the few steps that are left of it at inference.

BatchNorm's running statistics are constants by then. One that follows its convolution at once goes into the weights and
the bias; one behind an activation cannot, and is a factor and an offset a channel. Dropout is gone.

Notation: shapes are (C, H, W) of one image; O, I, k are output channels, input channels of a group, and the kernel.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.arch import ArchSpec, LayerFacts
from models.layers import LEAKY_SLOPE, NORMS, AvgPool, Conv, Dropout, Gap, MaxPool, Shape, Skip
from models.skipping import Add, Keep

_SLOPES = {"relu": 0.0, "leaky-relu": LEAKY_SLOPE}
_BATCHNORM_EPSILON = 1e-5  # torch's default, which models.build leaves as it is


@dataclass(frozen=True, eq=False)
class Affine:
    """Per channel `factor * x + offset`, both (O,) float32."""

    factor: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class ConvStep:
    """A convolution with its bias, then its activation, then an affine map if it has one, in this order."""

    input_shape: Shape
    output_shape: Shape
    weight: np.ndarray
    """(O, I, k, k) float32."""
    bias: np.ndarray
    """(O,) float32."""
    stride: int
    padding: int
    """With zeros, of what the step gets: for the first one these are zeros after normalisation."""
    groups: int
    slope: float
    """Of what is below 0: 0 is a ReLU, 1 no activation."""
    has_silu: bool
    """Whether the activation is x * sigmoid(x); the slope is then 1."""
    affine: Affine | None
    macs: int


@dataclass(frozen=True, eq=False)
class PoolStep:
    """The maximum or the mean of each kernel x kernel square, without overlap; a rest at the border is left out."""

    input_shape: Shape
    output_shape: Shape
    kernel: int
    is_mean: bool


@dataclass(frozen=True, eq=False)
class KeepStep:
    """Hands on its input, which the next AddStep adds too."""

    input_shape: Shape
    output_shape: Shape


@dataclass(frozen=True, eq=False)
class AddStep:
    """Adds what was kept: the middle of its maps, and of its channels as many as there are, from the first on."""

    input_shape: Shape
    output_shape: Shape
    kept_shape: Shape


Step = ConvStep | PoolStep | KeepStep | AddStep


@dataclass(frozen=True, eq=False)
class FoldedNetwork:
    """Steps from normalised pixels, `(pixel / 255 - mean) / std`, to 10 logits (an output of 10x1x1)."""

    steps: tuple[Step, ...]
    mean: float
    std: float

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the convolutions for one image."""
        return sum(step.macs for step in self.steps if isinstance(step, ConvStep))

    @property
    def n_weights(self) -> int:
        """Values that are kept: those of convolutions, their biases and affine maps."""
        return sum(_n_values(step) for step in self.steps if isinstance(step, ConvStep))

    def module(self) -> "FoldedModule":
        """The same as a torch module, in evaluation mode."""
        return FoldedModule(self).eval()


def fold(arch: ArchSpec, weights: Mapping[str, torch.Tensor], mean: float, std: float) -> FoldedNetwork:
    """The steps of a network of `models.build` with these weights, its state dict.

    Raises KeyError if a weight is missing.
    """
    return FoldedNetwork(tuple(_steps(arch, weights)), mean, std)


def _steps(arch: ArchSpec, weights: Mapping[str, torch.Tensor]) -> Iterator[Step]:
    added = {number - x.back for number, x in enumerate(arch.layers, 1) if isinstance(x, Skip)}
    for number, row in enumerate(arch.facts, 1):
        if number in added:
            kept_shape = row.input_shape
            yield KeepStep(kept_shape, kept_shape)
        match row.layer:
            case Conv():
                yield _conv_step(number, row, row.layer, weights)
            case MaxPool() | AvgPool() | Gap():
                is_mean = not isinstance(row.layer, MaxPool)
                yield PoolStep(row.input_shape, row.output_shape, row.kernel, is_mean)
            case Skip():
                yield AddStep(row.input_shape, row.output_shape, kept_shape)  # skips do not go around each other
            case Dropout():
                pass
            case _:
                raise TypeError(f"no step for {row.layer!r}")


def _conv_step(number: int, row: LayerFacts, conv: Conv, weights: Mapping[str, torch.Tensor]) -> ConvStep:
    owner = number - conv.shares
    weight = _values(weights, f"{owner}_conv.weight")  # (O, I, k, k)
    bias = _values(weights, f"{owner}_conv.bias") if conv.bias else np.zeros(conv.out)
    order = [name for name in conv.then if name != "dropout"]
    affine = None
    if any(name in NORMS for name in order):
        factor, offset = _batchnorm(number, weights, has_weight="bn" in order)
        if order[0] in NORMS:
            weight, bias = weight * factor[:, None, None, None], bias * factor + offset
        else:
            affine = Affine(factor.astype(np.float32), offset.astype(np.float32))
    return ConvStep(
        row.input_shape, row.output_shape, weight.astype(np.float32), bias.astype(np.float32),
        row.stride, row.padding, conv.groups, _slope(number, order, weights), "silu" in order, affine, row.macs,
    )  # fmt: skip


def _slope(number: int, order: list[str], weights: Mapping[str, torch.Tensor]) -> float:
    if "prelu" in order:
        return float(_values(weights, f"{number}_prelu.weight")[0])
    return next((slope for name, slope in _SLOPES.items() if name in order), 1.0)


def _batchnorm(number: int, weights: Mapping[str, torch.Tensor], has_weight: bool) -> tuple[np.ndarray, np.ndarray]:
    """Factor and offset of a BatchNorm at inference, in float64: both (O,)."""
    bias, mean, variance = (_values(weights, f"{number}_bn.{name}") for name in ("bias", "running_mean", "running_var"))
    factor = 1 / np.sqrt(variance + _BATCHNORM_EPSILON)
    if has_weight:
        factor *= _values(weights, f"{number}_bn.weight")
    return factor, bias - mean * factor


def _values(weights: Mapping[str, torch.Tensor], name: str) -> np.ndarray:
    return weights[name].detach().cpu().numpy().astype(np.float64)


def _n_values(step: ConvStep) -> int:
    n_affine = 0 if step.affine is None else step.affine.factor.size + step.affine.offset.size
    return step.weight.size + step.bias.size + n_affine


class FoldedModule(nn.Module):
    """Images (B, 1, 28, 28), uint8 or float of 0..1 as ToTensor gives them, to logits (B, 10)."""

    def __init__(self, network: FoldedNetwork) -> None:
        super().__init__()
        self.mean, self.std = network.mean, network.std
        self.steps = nn.Sequential(*_modules(network.steps))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # What white is follows from the number format when the file runs, with no branch that an export would fix:
        # the negative of 1 is 255 in uint8, and -1 in a float format.
        white = torch.ones_like(images[:1, :1, :1, :1]).neg().abs()
        logits: torch.Tensor = self.steps((images / white - self.mean) / self.std)
        return logits.flatten(1)


def _modules(steps: Iterable[Step]) -> Iterator[nn.Module]:
    keep = Keep()
    for step in steps:
        match step:
            case PoolStep():
                yield nn.AvgPool2d(step.kernel) if step.is_mean else nn.MaxPool2d(step.kernel)
            case ConvStep():
                yield _ConvModule(step)
            case KeepStep():
                yield keep
            case AddStep():
                yield Add(keep)
                keep = Keep()


class _ConvModule(nn.Module):
    factor: torch.Tensor
    offset: torch.Tensor

    def __init__(self, step: ConvStep) -> None:
        super().__init__()
        self.stride, self.padding, self.groups = step.stride, step.padding, step.groups
        self.slope, self.has_silu = step.slope, step.has_silu
        self.weight = nn.Parameter(torch.from_numpy(step.weight), requires_grad=False)
        self.bias = nn.Parameter(torch.from_numpy(step.bias), requires_grad=False)
        self.affine = step.affine is not None
        if step.affine is not None:
            self.register_buffer("factor", torch.from_numpy(step.affine.factor)[:, None, None])  # (O, 1, 1)
            self.register_buffer("offset", torch.from_numpy(step.affine.offset)[:, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, groups=self.groups)
        x = self._activated(x)
        return x * self.factor + self.offset if self.affine else x

    def _activated(self, x: torch.Tensor) -> torch.Tensor:
        if self.has_silu:
            return functional.silu(x)
        if self.slope == 1:
            return x
        return functional.leaky_relu(x, self.slope) if self.slope else torch.relu(x)
