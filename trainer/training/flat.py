"""All floating-point values of a network in one block of memory, so that one operation reaches all of them."""

import torch
from torch import nn

_ALIGNED = 16
"""Every tensor begins at a multiple of so many values, 64 bytes of float32: kernels load several at once."""


def flatten(network: nn.Module) -> torch.Tensor:
    """Moves the parameters and floating-point buffers of a network into one tensor, and returns it.

    They keep their shapes, strides and values, and are views of it from then on. What stands between them is zero.
    """
    tensors = [*network.parameters(), *(buffer for buffer in network.buffers() if buffer.is_floating_point())]
    starts = [0]
    for tensor in tensors:
        starts.append(starts[-1] + -(-tensor.numel() // _ALIGNED) * _ALIGNED)
    flat = torch.zeros(starts[-1], dtype=tensors[0].dtype, device=tensors[0].device)
    for tensor, start in zip(tensors, starts, strict=False):
        view = flat.as_strided(tensor.shape, tensor.stride(), start)
        view.copy_(tensor.detach())
        tensor.data = view
    return flat
