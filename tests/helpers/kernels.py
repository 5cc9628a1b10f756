"""What the tests of the kernels share: modules to fuse, inputs, and how close the results must be."""

from itertools import permutations

import pytest
import torch
from torch import nn

from models.build import follower
from models.template import Template
from trainer.fused import kernels

needs_compiler = pytest.mark.skipif(
    kernels.load_kernels() is None, reason="no C compiler here (or the kernels are switched off)"
)
ORDERS = [order for n in (1, 2, 3) for order in permutations(("bn", "relu", "dropout"), n)]
STILL_ORDERS = [order for order in ORDERS if "dropout" not in order] + [
    ("bn-bias",),
    ("bn-bias", "relu"),
    ("relu", "bn-bias"),
]
ARCH = Template((8, 16), 8, (12, 16, 20), transition_place="after-pool", head="gap-hidden", hidden=24).arch()


def plain_modules(order: tuple[str, ...], channels: int, pool: bool = False, dropout: float = 0.25) -> nn.Sequential:
    """The modules as torch runs them; batch norm's parameters are no identity."""
    made = [follower(name, channels, dropout) for name in order]
    for parameter in nn.ModuleList(made).parameters():
        nn.init.normal_(parameter)
    return nn.Sequential(*made, *([nn.MaxPool2d(2)] if pool else []))


def an_input(batch: int, channels: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    x = torch.randn(batch, channels, height, width) * 2 + 0.5
    return x.to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()


def gradients_of(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The output, and the gradients at x and the parameters for an upstream gradient whose sums do not cancel out."""
    y = module(x)
    upstream = (0.5 + torch.arange(y.numel()).cos()).view(y.shape).bfloat16().to(y.dtype)
    return y, list(torch.autograd.grad(y, [x, *module.parameters()], upstream))


def assert_all_close(
    ours: tuple[torch.Tensor, list[torch.Tensor]], theirs: tuple[torch.Tensor, list[torch.Tensor]], share: float
) -> None:
    """Each tensor to within `share` of its largest value; one pixel in a thousand may lie on ReLU's other side."""
    for a, b in zip([ours[0], *ours[1]], [theirs[0], *theirs[1]], strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        wrong = (a - b).abs() > share * b.abs().max()
        assert wrong.float().mean() <= 1e-3, (a - b).abs().max()
