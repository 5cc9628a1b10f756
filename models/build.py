"""From an ArchSpec to a torch module."""

from collections import OrderedDict
from collections.abc import Iterator

import torch
from torch import nn

from models.arch import INPUT_SHAPE, ArchSpec
from models.layers import LEAKY_SLOPE, NORMS, AvgPool, Conv, Dropout, Gap, Layer, MaxPool, Skip
from models.sharing import SharedConv
from models.skipping import Add, Keep


def build(arch: ArchSpec, dropout: float = 0.0) -> nn.Sequential:
    """A module from images (B, 1, 28, 28) to logits (B, 10), initialised by torch's defaults.

    `dropout` is the share of activations dropped at each place the architecture names.
    Parameters are named by the number of their layer, from 1: `3_conv.weight`, `3_bn.bias`.
    """
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    channels = INPUT_SHAPE[0]
    kept = {number - x.back: Keep() for number, x in enumerate(arch.layers, 1) if isinstance(x, Skip)}
    for number, row in enumerate(arch.facts, 1):
        if number in kept:
            modules[f"{number}_keep"] = kept[number]
        if isinstance(row.layer, Skip):
            modules[f"{number}_skip"] = Add(kept[number - row.layer.back])
            continue
        for name, module in _modules(row.layer, channels, dropout):
            modules[f"{number}_{name}"] = module
        if isinstance(row.layer, Conv) and row.layer.shares:
            owner = modules[f"{number - row.layer.shares}_conv"]
            assert isinstance(owner, nn.Conv2d)
            modules[f"{number}_conv"] = SharedConv(owner, row.stride, row.padding)
        channels = row.output_shape[0]
    modules["flatten"] = nn.Flatten()  # (B, 10, 1, 1) -> (B, 10)
    return nn.Sequential(modules)


def _modules(layer: Layer, channels: int, dropout: float) -> Iterator[tuple[str, nn.Module]]:
    match layer:
        case Conv(out, kernel, stride, padding, bias, groups, then):
            yield "conv", nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=bias)
            for op in then:
                yield "bn" if op in NORMS else op, follower(op, out, dropout)
        case MaxPool(kernel):
            yield "maxpool", nn.MaxPool2d(kernel)
        case AvgPool(kernel):
            yield "avgpool", nn.AvgPool2d(kernel)
        case Gap():
            yield "gap", nn.AdaptiveAvgPool2d(1)
        case Dropout():
            yield "dropout", nn.Dropout(dropout)
        case _:
            raise TypeError(f"no module for {layer!r}")


def follower(op: str, channels: int, dropout: float) -> nn.Module:
    """What follows a convolution of so many channels in place: a follower of models/layers.py by name."""
    match op:
        case "bn":
            return nn.BatchNorm2d(channels)
        case "bn-bias":
            norm = nn.BatchNorm2d(channels)
            norm.register_parameter("weight", None)  # torch then takes it for one
            return norm
        case "relu":
            return nn.ReLU()
        case "leaky-relu":
            return nn.LeakyReLU(LEAKY_SLOPE)
        case "prelu":
            return nn.PReLU()
        case "silu":
            return nn.SiLU()
        case "dropout":
            return nn.Dropout(dropout)
    raise ValueError(f"no module for {op!r}")


def count_params(module: nn.Module) -> int:
    """Trainable parameters of a built module (the closed form is `ArchSpec.params`)."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def example_input(batch_size: int = 1) -> torch.Tensor:
    """A batch of the network's input shape: (B, 1, 28, 28), uniform in 0..1."""
    return torch.rand(batch_size, *INPUT_SHAPE)
