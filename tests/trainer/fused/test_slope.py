"""Activations that the kernels do not know, within a network that they do."""

import copy

import pytest
import torch
from torch import nn

from models.build import follower
from tests.helpers.kernels import an_input, assert_all_close, gradients_of, needs_compiler
from trainer.fused.network import fuse
from trainer.fused.slope import takes


@needs_compiler
@pytest.mark.parametrize("slope", [0.25, 0.0, -1.5, 3.0])
def test_prelu_is_torch_s(slope: float) -> None:
    theirs = nn.Sequential(nn.PReLU(init=slope))
    ours = fuse(copy.deepcopy(theirs))
    x = an_input(16, 5, 9, 7)
    assert takes(theirs[0], x)
    assert not takes(nn.PReLU(5), x)
    assert_all_close(gradients_of(ours, x), gradients_of(theirs, x), 1e-6)


@needs_compiler
def test_prelu_keeps_the_number_format() -> None:
    theirs = nn.Sequential(nn.PReLU())
    x = an_input(16, 5, 9, 7, torch.bfloat16)
    y, gradients = gradients_of(fuse(copy.deepcopy(theirs)), x)
    assert [tensor.dtype for tensor in (y, *gradients)] == [torch.bfloat16, torch.bfloat16, torch.float32]
    exact = gradients_of(theirs, x.detach().float().requires_grad_())
    assert_all_close((y.float(), [gradient.float() for gradient in gradients]), exact, 1e-2)


@needs_compiler
@pytest.mark.parametrize("activation", ["leaky-relu", "prelu", "silu"])
@pytest.mark.parametrize("norm", ["bn", "bn-bias"])
def test_what_stands_around_them_is_fused_all_the_same(activation: str, norm: str) -> None:
    torch.manual_seed(0)
    ops = (norm, activation, "dropout")
    theirs = nn.Sequential(nn.Conv2d(1, 6, 3, bias=False), *(follower(op, 6, 0.0) for op in ops), nn.MaxPool2d(2))
    ours = fuse(copy.deepcopy(theirs))
    x = an_input(8, 1, 14, 14)
    assert_all_close(gradients_of(ours, x), gradients_of(theirs, x), 1e-4)
