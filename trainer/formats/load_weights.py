"""Rebuilds the network of weights.safetensors and arch.json with torch and safetensors, and nothing else.

from load_weights import load_network
logits = load_network("folder")(images)    # images (B, 1, 28, 28), uint8 or float of 0..1; logits (B, 10)
"""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import torch
from safetensors import safe_open
from torch import nn


class Network(nn.Module):
    """The layers of arch.json, and the normalisation before them."""

    def __init__(self, layers: list[dict[str, Any]], mean: float, std: float) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        self.layers = nn.Sequential()
        channels = 1
        pairs = [pair for layer in layers for pair in layer.items()]
        kept = {number - fields["back"]: Keep() for number, (kind, fields) in enumerate(pairs, 1) if kind == "skip"}
        for number, (kind, fields) in enumerate(pairs, 1):
            if number in kept:
                self.layers.add_module(f"{number}_keep", kept[number])
            if kind == "skip":
                self.layers.add_module(f"{number}_skip", Add(kept[number - fields["back"]]))
                continue
            for name, module in modules(kind, fields, channels):
                self.layers.add_module(f"{number}_{name}", module)
            if fields.get("shares"):
                owner = getattr(self.layers, f"{number - fields['shares']}_conv")
                setattr(self.layers, f"{number}_conv", Shared(owner, fields["stride"], fields["padding"]))
            channels = fields.get("out", channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.dtype == torch.uint8:
            images = images / 255
        logits: torch.Tensor = self.layers((images - self.mean) / self.std)
        return logits.flatten(1)


class Shared(nn.Module):
    """The weights of another convolution, applied once more."""

    def __init__(self, owner: nn.Conv2d, stride: int, padding: int) -> None:
        super().__init__()
        self.owner = (owner,)  # in a tuple it is no part of this module
        self.stride, self.padding = stride, padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        [conv] = self.owner
        return nn.functional.conv2d(x, conv.weight, conv.bias, self.stride, self.padding, groups=conv.groups)


class Keep(nn.Module):
    """Hands on what it is given; `Add` adds it to what comes out of the layers between."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.kept = x
        return x


class Add(nn.Module):
    """Adds the middle of what was kept, of the channels that are on both sides."""

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, C, H, W = x.shape
        margin = (self.keep.kept.shape[2] - H) // 2
        kept = self.keep.kept[:, :C, margin : margin + H, margin : margin + W]
        return x + nn.functional.pad(kept, (0, 0, 0, 0, 0, C - kept.shape[1]))


def modules(kind: str, fields: dict[str, Any], channels: int) -> Iterator[tuple[str, nn.Module]]:
    """The torch modules of a layer, each with its name."""
    if kind == "conv":
        sizes = (fields["kernel"], fields["stride"], fields["padding"])
        yield "conv", nn.Conv2d(channels, fields["out"], *sizes, groups=fields["groups"], bias=fields["bias"])
        for op in fields["then"]:
            yield follower(op, fields["out"])
    elif kind == "gap":
        yield kind, nn.AdaptiveAvgPool2d(1)
    elif kind == "dropout":
        yield kind, nn.Dropout()
    else:
        yield kind, {"maxpool": nn.MaxPool2d, "avgpool": nn.AvgPool2d}[kind](fields["kernel"])


def follower(op: str, channels: int) -> tuple[str, nn.Module]:
    """What follows a convolution in place."""
    if op not in ("bn", "bn-bias"):
        if op == "leaky-relu":
            return op, nn.LeakyReLU(0.1)
        return op, {"relu": nn.ReLU, "prelu": nn.PReLU, "silu": nn.SiLU, "dropout": nn.Dropout}[op]()
    norm = nn.BatchNorm2d(channels)
    if op == "bn-bias":
        norm.register_parameter("weight", None)
    return "bn", norm


def load_network(folder: str = ".") -> nn.Module:
    """The trained network, in evaluation mode."""
    here = pathlib.Path(folder)
    with safe_open(here / "weights.safetensors", "pt") as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        mean, std = (float(file.metadata()[name]) for name in ("mean", "std"))
    network = Network(json.loads((here / "arch.json").read_text())["layers"], mean, std)
    network.layers.load_state_dict(weights)
    return network.eval()
