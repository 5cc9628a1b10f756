"""All floating-point values of a network in one block of memory, so that one operation reaches all of them."""

from itertools import accumulate

import torch
from torch import nn

_ALIGNED = 16
"""Every tensor begins at a multiple of so many values, 64 bytes of float32: kernels load several at once."""


def flatten(network: nn.Module) -> torch.Tensor:
    """Moves the parameters and floating-point buffers of a network into one tensor, and returns it.

    They keep their shapes, strides and values, and are views of it from then on. What stands between them is zero.
    """
    places = _places(network)
    last, start = places[-1]
    flat = torch.zeros(start + _room(last), dtype=last.dtype, device=last.device)
    for tensor, start in places:
        view = flat.as_strided(tensor.shape, tensor.stride(), start)
        view.copy_(tensor.detach())
        tensor.data = view
    return flat


def with_channels_last(flat: torch.Tensor, network: nn.Module) -> torch.Tensor:
    """The values that `flatten` laid out, as they would lie had the network's tensors their channels last."""
    return _moved(flat, [(tensor, start, tensor.stride(), _last(tensor)) for tensor, start in _places(network)])


def as_laid_out(channels_last: torch.Tensor, network: nn.Module) -> torch.Tensor:
    """The other way round: values of `with_channels_last`, as `flatten` laid out the network's."""
    places = _places(network)
    return _moved(channels_last, [(tensor, start, _last(tensor), tensor.stride()) for tensor, start in places])


_Strides = tuple[int, ...]


def _moved(flat: torch.Tensor, places: list[tuple[torch.Tensor, int, _Strides, _Strides]]) -> torch.Tensor:
    moved = torch.zeros_like(flat)
    for tensor, start, before, after in places:
        moved.as_strided(tensor.shape, after, start).copy_(flat.as_strided(tensor.shape, before, start))
    return moved


def _last(tensor: torch.Tensor) -> _Strides:
    is_map = tensor.ndim == 4
    memory_format = torch.channels_last if is_map else torch.contiguous_format
    return torch.empty(tensor.shape, device="meta", memory_format=memory_format).stride()


def _places(network: nn.Module) -> list[tuple[torch.Tensor, int]]:
    """What is laid out, and where each begins."""
    tensors = [*network.parameters(), *(buffer for buffer in network.buffers() if buffer.is_floating_point())]
    starts = accumulate(map(_room, tensors), initial=0)
    return list(zip(tensors, starts, strict=False))


def _room(tensor: torch.Tensor) -> int:
    return -(-tensor.numel() // _ALIGNED) * _ALIGNED
