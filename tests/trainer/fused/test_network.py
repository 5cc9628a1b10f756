"""A whole network with its kernels."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from models.build import build, example_input
from tests.helpers.kernels import ARCH, ORDERS, an_input, needs_compiler, plain_modules
from trainer.fused.network import fuse


def _loss_and_gradients(network: nn.Module, dtype: torch.dtype, batch: int = 16) -> list[torch.Tensor]:
    images = torch.linspace(-1, 3, batch * 784).sin().view(batch, 1, 28, 28)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        logits = network(images)
    loss = cross_entropy(logits.float(), torch.arange(batch) % 10)
    return [loss, *torch.autograd.grad(loss, list(network.parameters()))]


@needs_compiler
def test_network_agrees_with_torch() -> None:
    torch.manual_seed(7)
    theirs = build(ARCH, 0.0).to(memory_format=torch.channels_last)
    ours = fuse(copy.deepcopy(theirs))
    expected = _loss_and_gradients(theirs, torch.float32)
    for a, b in zip(_loss_and_gradients(ours, torch.float32), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    loss, *_ = _loss_and_gradients(ours, torch.bfloat16)
    torch.testing.assert_close(loss, expected[0], rtol=2e-2, atol=0)


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_network_repeats_bit_for_bit_with_dropout(dtype: torch.dtype) -> None:
    torch.manual_seed(8)
    network = fuse(build(ARCH, 0.1))
    results = []
    for _ in range(2):
        torch.manual_seed(9)
        results.append(_loss_and_gradients(network, dtype))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@needs_compiler
def test_shares_parameters_and_evaluates_by_the_plain_modules() -> None:
    inner = build(ARCH, 0.1)
    network = fuse(inner)
    assert [id(p) for p in network.parameters()] == [id(p) for p in inner.parameters()]
    network.train()
    network(example_input(4))
    assert inner[1].num_batches_tracked == 1
    network.eval()
    assert not inner.training
    images = example_input(4)
    assert torch.equal(network(images), inner(images))


@needs_compiler
def test_what_is_not_known_goes_through_the_modules() -> None:
    odd = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2), nn.GELU(), nn.BatchNorm2d(4, momentum=None), nn.MaxPool2d(3), nn.ReLU()
    )
    ours = fuse(copy.deepcopy(odd))
    x = example_input(3)
    assert torch.equal(ours(x), odd(x))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        fuse(nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()))(torch.ones(1, 4, 1, 1))


@needs_compiler
@pytest.mark.parametrize("pool", [False, True], ids=["flat", "pool"])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_evaluates_as_torch_does(order: tuple[str, ...], pool: bool) -> None:
    torch.manual_seed(5)
    theirs = plain_modules(order, 12, pool)
    theirs(an_input(4, 12, 9, 7))  # so that the running statistics are not those of a new layer
    ours = fuse(copy.deepcopy(theirs)).eval()
    x = an_input(3, 12, 9, 7).detach()
    before = copy.deepcopy(dict(ours.named_buffers()))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs.eval()(x))
    for name, buffer in ours.named_buffers():
        assert torch.equal(buffer, before[name])
