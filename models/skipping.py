"""The two ends of a skip, as modules: what is kept before the layers that it goes around, and added behind them.

Two modules, so that a network stays a plain sequence, whoever walks through it.
"""

import torch
from torch import nn
from torch.nn.functional import pad


class Keep(nn.Module):
    """Hands on what it is given, and keeps it until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._kept[:] = [x]
        return x

    def take(self) -> torch.Tensor:
        """What was given last; it is kept no longer."""
        return self._kept.pop()


class Add(nn.Module):
    """x (B, C, H, W) and what was kept, made to fit it."""

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + fitted(self.keep.take(), x.shape[1], x.shape[2])


def fitted(kept: torch.Tensor, channels: int, side: int) -> torch.Tensor:
    """The middle of each map (B, C, side, side), and zeros for channels that are not there."""
    margin = (kept.shape[2] - side) // 2
    middle = kept[:, :channels, margin : margin + side, margin : margin + side]
    missing = channels - middle.shape[1]
    return pad(middle, (0, 0, 0, 0, 0, missing)) if missing else middle
