"""A convolution that has the weights of another one, as a module."""

import torch
from torch import nn
from torch.nn.functional import conv2d


class SharedConv(nn.Module):
    """Another convolution's weights and bias, applied once more: they are counted, stored and updated there."""

    def __init__(self, owner: nn.Conv2d, stride: int, padding: int) -> None:
        super().__init__()
        self._owner = (owner,)  # in a tuple it is no part of this module
        self.stride, self.padding = stride, padding

    @property
    def owner(self) -> nn.Conv2d:
        """Whose weights they are."""
        return self._owner[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        owner = self.owner
        return conv2d(x, owner.weight, owner.bias, self.stride, self.padding, groups=owner.groups)
