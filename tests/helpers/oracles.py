"""Independent counts to hold the closed forms against: fvcore's and torch's own."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from models.arch import ArchSpec
from models.build import build, example_input

with warnings.catch_warnings():
    # fvcore decorates functions with torch.jit.script when it is imported.
    warnings.filterwarnings("ignore", r"`torch\.jit\.script` is deprecated", FutureWarning)
    from fvcore.nn import FlopCountAnalysis, parameter_count


class Counts(NamedTuple):
    """Trainable parameters and the convolutions' multiply-accumulates for one image."""

    params: int
    macs: int


def fvcore_counts(module: nn.Module) -> Counts:
    """What fvcore counts. Its flops are MACs; its total would add batch norm and pooling to them."""
    analysis = FlopCountAnalysis(module.eval(), example_input())
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return Counts(parameter_count(module)[""], analysis.by_operator()["conv"])


class BuiltRow(NamedTuple):
    """A layer as built: what torch says of the modules with the layer's number."""

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    params: int
    macs: int


def built_rows(arch: ArchSpec) -> list[BuiltRow]:
    """A row for each layer, from a forward pass on the meta device, which holds shapes and no values."""
    with torch.device("meta"):
        module = build(arch).eval()
        image = example_input()
        with FlopCounterMode(display=False) as counter:
            shapes = _layer_shapes(module, image)
    flops = counter.get_flop_counts()
    rows = []
    for number in range(1, len(shapes)):
        members = [name for name, _ in module.named_children() if name.startswith(f"{number}_")]
        params = sum(p.numel() for name in members for p in module.get_submodule(name).parameters())
        # torch counts two operations, a multiplication and an addition, for each MAC.
        operations = sum(sum(flops.get(f"Sequential.{name}", {}).values()) for name in members)
        rows.append(BuiltRow(shapes[number - 1], shapes[number], params, operations // 2))
    return rows


def _layer_shapes(module: nn.Sequential, image: torch.Tensor) -> list[tuple[int, ...]]:
    """The image's shape, then each layer's output shape, (C, H, W) without the batch."""
    shapes: dict[str, tuple[int, ...]] = {"0": tuple(image.shape[1:])}

    def record(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        number, _, _ = name.partition("_")
        return lambda _module, _inputs, output: shapes.update({number: tuple(output.shape[1:])})

    for name, child in module.named_children():
        if name != "flatten":
            child.register_forward_hook(record(name))
    module(image)
    return list(shapes.values())
