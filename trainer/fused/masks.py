"""The masks of all dropouts of a network in one draw: on a GPU every operation saved counts."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Noise:
    """Where dropout comes from. By default from torch's global generator, as in torch."""

    generator: torch.Generator | None = None
    """On the network's device. The kernels of a CPU draw a seed from it."""
    keep: torch.Tensor | None = None
    """The share of activations that is kept (1,), read at each use in the place of the modules' own; the kernels go by
    those."""


class Masks:
    """Draws what multiplies the activations at each dropout of a network, for a forward pass at a time."""

    def __init__(self, modules: Sequence[nn.Module], noise: Noise) -> None:
        """`modules` are done one after the other."""
        self._modules = modules
        self._noise = noise
        self._sizes: dict[torch.Size, dict[int, int]] = {}
        self._drawn: dict[int, torch.Tensor] = {}

    def begin(self, image: torch.Size) -> None:
        """A forward pass over images of this shape (C, H, W) begins."""
        self._drawn = {}
        if image not in self._sizes:
            self._sizes[image] = _dropped_values(self._modules, image)
        self._image = image

    def of(self, module: nn.Dropout, x: torch.Tensor) -> torch.Tensor:
        """The mask of a dropout for its input x (B, ...): zeros, and the inverse of the share kept; in x's strides."""
        if not self._drawn:
            self._draw(x)
        mask = self._drawn.pop(id(module))
        is_dense = x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)
        return mask.as_strided(x.shape, x.stride(), mask.storage_offset()) if is_dense else mask.view(x.shape)

    def _draw(self, x: torch.Tensor) -> None:
        sizes = self._sizes[self._image]
        keep = self._noise.keep
        assert keep is not None
        lengths = [len(x) * size for size in sizes.values()]
        flat = torch.empty(sum(lengths), dtype=x.dtype, device=x.device)
        flat.bernoulli_(keep, generator=self._noise.generator).div_(keep)
        self._drawn = dict(zip(sizes, flat.split(lengths), strict=True))


def _dropped_values(modules: Sequence[nn.Module], image: torch.Size) -> dict[int, int]:
    """How many values of an image each dropout is given, by the module's id. Nothing is computed."""
    x, sizes = torch.empty(1, *image, device="meta"), {}
    copies = deepcopy(nn.Sequential(*modules)).to("meta", torch.float32).eval()  # all at once: some know each other
    with torch.no_grad():
        for module, copy in zip(modules, copies, strict=True):
            if type(module) is nn.Dropout and module.p:
                sizes[id(module)] = x.numel()
            x = copy(x)
    return sizes
