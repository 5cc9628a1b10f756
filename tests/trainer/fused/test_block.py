"""The fused kernels against torch's own modules."""

import copy
import math

import pytest
import torch
from torch import nn

from tests.helpers.kernels import STILL_ORDERS, an_input, assert_all_close, gradients_of, needs_compiler, plain_modules
from trainer.fused.network import FusedNetwork, fuse


@needs_compiler
@pytest.mark.parametrize("pool", [False, True], ids=["flat", "pool"])
@pytest.mark.parametrize("order", STILL_ORDERS, ids="-".join)
def test_agrees_with_torch_in_float32_for_any_width(order: tuple[str, ...], pool: bool) -> None:
    torch.manual_seed(1)
    for channels in [*range(1, 41), 48, 96]:
        height, width = 2 + channels % 9, 2 + channels % 7
        theirs = plain_modules(order, channels, pool)
        ours = fuse(copy.deepcopy(theirs))
        assert isinstance(ours, FusedNetwork)
        x = an_input(3, channels, height, width)
        assert_all_close(gradients_of(ours, x), gradients_of(theirs, x), 2e-5)
        for a, b in zip(ours.buffers(), theirs.buffers(), strict=True):
            torch.testing.assert_close(a, b)


@needs_compiler
@pytest.mark.parametrize("pool", [False, True], ids=["flat", "pool"])
@pytest.mark.parametrize("order", STILL_ORDERS, ids="-".join)
@pytest.mark.parametrize("channels", [5, 8, 12, 20])
def test_agrees_with_torch_in_bfloat16(order: tuple[str, ...], pool: bool, channels: int) -> None:
    torch.manual_seed(2)
    theirs = plain_modules(order, channels, pool)
    ours = fuse(copy.deepcopy(theirs))
    x = an_input(16, channels, 13, 10, torch.bfloat16)
    exact = gradients_of(theirs.float(), x.float().detach().requires_grad_())
    y, gradients = gradients_of(ours, x)
    assert_all_close((y.float(), [g.float() for g in gradients]), exact, 2e-2)


@needs_compiler
def test_statistics_survive_a_large_mean() -> None:
    theirs = nn.Sequential(nn.BatchNorm2d(3))
    ours = fuse(copy.deepcopy(theirs))
    x = (torch.randn(64, 3, 20, 20) + torch.tensor([0.0, 300.0, -3000.0]).view(1, 3, 1, 1)).double()
    exact = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(ours(x.float()).double(), exact, rtol=1e-3, atol=1e-3)


@needs_compiler
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("order", STILL_ORDERS, ids="-".join)
def test_a_value_that_is_not_finite_shows_in_the_loss(bad: float, order: tuple[str, ...]) -> None:
    for pool in (False, True):
        for at in range(4):
            x = an_input(4, 3, 4, 4).detach()
            x[2, 1, at // 2, at % 2] = bad
            ours, theirs = fuse(plain_modules(order, 3, pool)), plain_modules(order, 3, pool)
            assert theirs(x).sum().isfinite() == ours(x).sum().isfinite()
            if math.isnan(bad):
                assert ours(x).sum().isnan()


@needs_compiler
@pytest.mark.parametrize("order", [("bn", "relu"), ("bn", "relu", "dropout"), ("bn", "dropout", "relu")], ids="-".join)
def test_a_dead_channel_learns_what_torch_lets_it_learn(order: tuple[str, ...]) -> None:
    """Its values all lie on ReLU's corner, where the gradient is zero; the mask is read off the output."""
    torch.manual_seed(6)
    theirs = plain_modules(order, 4, dropout=0.0)
    ours = fuse(copy.deepcopy(theirs))
    x = torch.zeros(2, 4, 5, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert_all_close(gradients_of(ours, x), gradients_of(theirs, x), 2e-5)
