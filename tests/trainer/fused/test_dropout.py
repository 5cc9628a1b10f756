"""Dropout in the kernels: its share, its evenness, and the mask that a seed means."""

import copy
import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from tests.helpers.kernels import ORDERS, an_input, assert_all_close, gradients_of, needs_compiler, plain_modules
from trainer.fused.block import Block
from trainer.fused.kernels import SWITCH, load_kernels
from trainer.fused.masks import Noise
from trainer.fused.network import fuse


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("p", [0.001, 0.025, 0.1, 0.5, 0.9])
def test_dropout_keeps_its_share_and_scales_exactly(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    network = fuse(nn.Sequential(nn.Dropout(p)))
    for channels in (1, 7, 16):
        x = torch.ones(100, channels, 15, 15, dtype=dtype, requires_grad=True)
        y = network(x)
        (gradient,) = torch.autograd.grad(y.sum(), x)
        kept, n = int((y != 0).sum()), y.numel()
        assert abs(kept - n * (1 - p)) < 5 * math.sqrt(n * p * (1 - p)) + n / 65536
        share = 1 - round(p * 65536) / 65536
        assert torch.equal(y[y != 0], torch.full((kept,), 1 / share).to(dtype))
        assert torch.equal(gradient, y)


@needs_compiler
def test_dropout_is_even_over_channels_places_and_neighbours() -> None:
    torch.manual_seed(4)
    dropped = fuse(nn.Sequential(nn.Dropout(0.25)))(torch.ones(200, 12, 20, 20)) == 0
    for dims in [(0, 2, 3), (0, 1, 2), (0, 1, 3), (1, 2, 3)]:
        share = dropped.float().mean(dims)
        n = dropped.numel() / len(share)
        assert (share - 0.25).abs().max() < 5 * math.sqrt(0.25 * 0.75 / n)
    flat = dropped.permute(0, 2, 3, 1).flatten().float()
    for lag in (1, 12, 192, 240, 256, 512):
        both = (flat[lag:] * flat[:-lag]).mean()
        assert abs(both - 0.0625) < 5 * math.sqrt(0.0625 * 0.9375 / len(flat))


@needs_compiler
@pytest.mark.parametrize("pool", [False, True], ids=["flat", "pool"])
@pytest.mark.parametrize("order", [order for order in ORDERS if "dropout" in order], ids="-".join)
def test_dropout_in_any_order_is_a_fixed_mask(order: tuple[str, ...], pool: bool) -> None:
    """The mask that a seed means, read off a dropout alone and put in place of the dropout, gives the same values."""
    torch.manual_seed(5)
    x = an_input(4, 6, 8, 6)
    fused = plain_modules(order, 6, pool)
    seed = 1234567
    # A tile is an image row where a pool follows, and the mask goes by tiles: read it off with the same tiles.
    mask = _mask_of(seed, x, pool)
    plain = copy.deepcopy(fused)
    plain[order.index("dropout")] = _Times(mask)
    block = _AsModule(fused, seed)
    assert_all_close(gradients_of(block, x), gradients_of(plain, x), 2e-5)


class _Times(nn.Module):
    def __init__(self, factor: torch.Tensor) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class _AsModule(nn.Module):
    """A block that is given its seed."""

    def __init__(self, modules: nn.Sequential, seed: int) -> None:
        super().__init__()
        self.inner = modules
        self._block, self._seed = Block(list(modules)), seed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._block(x, self._seed)


def _mask_of(seed: int, like: torch.Tensor, pool: bool) -> torch.Tensor:
    ones = torch.ones_like(like).detach().requires_grad_()
    if not pool:
        return Block([nn.Dropout(0.25)])(ones, seed).detach()
    # With one value in each 2x2 square above the others, the pool lets through that value's factor.
    mask = torch.zeros_like(ones)
    for i in range(2):
        for j in range(2):
            x = torch.zeros_like(like)
            x[:, :, i::2, j::2] = 1
            y = Block([nn.Dropout(0.25), nn.MaxPool2d(2)])(x.requires_grad_(), seed)
            mask[:, :, i::2, j::2] = y.detach()
    return mask


@needs_compiler
def test_masks_follow_torchs_seed_and_differ_between_calls_and_places() -> None:
    ones = torch.ones(8, 8, 10, 10)
    network = fuse(nn.Sequential(nn.Dropout(0.5), nn.Flatten(0), nn.Unflatten(0, ones.shape), nn.Dropout(0.5)))
    torch.manual_seed(6)
    first, second = network(ones), network(ones)
    torch.manual_seed(6)
    assert torch.equal(network(ones), first)
    assert not torch.equal(first, second)
    assert 0.2 < (first != 0).float().mean() < 0.3  # two independent halves


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(SWITCH, "0")
    load_kernels.cache_clear()
    yield
    load_kernels.cache_clear()


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_masks_drawn_at_once_are_those_of_dropouts_of_every_size(dtype: torch.dtype) -> None:
    """Each keeps its share, scales by its inverse, and drops the same forward and backward; no two are alike."""
    generator = torch.Generator().manual_seed(7)
    inner = nn.Sequential(nn.Dropout(0.25), nn.ReLU(), nn.Dropout(0.25))
    network = fuse(inner, Noise(generator, torch.tensor([0.75])))
    x = torch.ones(50, 8, 10, 10, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
    y = network(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.dtype == dtype
    assert torch.equal(gradient, y.detach())
    n = y.numel()
    assert abs((y != 0).float().mean().item() - 0.75**2) < 5 * math.sqrt(0.75**2 * (1 - 0.75**2) / n)
    torch.testing.assert_close(y.detach().max().float(), torch.tensor(1 / 0.75**2), rtol=1e-2, atol=0)
    assert not torch.equal(network(x), y), "drawn anew"
    generator.manual_seed(7)
    assert torch.equal(network(x), y)


@pytest.mark.usefixtures("without_kernels")
def test_masks_are_even_whatever_the_strides() -> None:
    inner = nn.Sequential(nn.Dropout(0.5), nn.MaxPool2d(2), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Dropout(0.5))
    network = fuse(inner, Noise(torch.Generator().manual_seed(1), torch.tensor([0.5])))
    seen: list[torch.Tensor] = []
    inner[1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for layout in (torch.channels_last, torch.contiguous_format):
        network(torch.ones(400, 6, 8, 8).to(memory_format=layout))
        first = seen[-1]
        assert first.is_contiguous(memory_format=layout)
        for dims in ((0, 2, 3), (0, 1, 3), (0, 1, 2)):
            share = (first != 0).float().mean(dims)
            assert (share - 0.5).abs().max() < 5 * math.sqrt(0.25 * len(share) / first.numel())
