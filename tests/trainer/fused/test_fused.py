"""The fused kernels against torch's own modules."""

import copy
import math
import os
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from models.build import build, example_input
from models.template import Template
from trainer.fused import library
from trainer.fused.block import Block
from trainer.fused.network import FusedNetwork, fuse
from trainer.fused.sampling import _sample_by_torch, sample

needs_compiler = pytest.mark.skipif(
    library.library() is None, reason="no C compiler here (or the kernels are switched off)"
)

ORDERS = [order for n in (1, 2, 3) for order in permutations(("bn", "relu", "dropout"), n)]
STILL_ORDERS = [order for order in ORDERS if "dropout" not in order]
ARCH = Template((8, 16), 8, (12, 16, 20), transition_place="after-pool", head="gap-hidden", hidden=24).arch()


def _modules(order: tuple[str, ...], channels: int, pool: bool = False, dropout: float = 0.25) -> nn.Sequential:
    made = {"bn": nn.BatchNorm2d(channels), "relu": nn.ReLU(), "dropout": nn.Dropout(dropout)}
    for parameter in made["bn"].parameters():
        nn.init.normal_(parameter)
    return nn.Sequential(*(made[name] for name in order), *([nn.MaxPool2d(2)] if pool else []))


def _input(batch: int, channels: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    x = torch.randn(batch, channels, height, width) * 2 + 0.5
    return x.to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()


def _gradients(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The output, and the gradients at x and the parameters for an upstream gradient whose sums do not cancel out."""
    y = module(x)
    upstream = (0.5 + torch.arange(y.numel()).cos()).view(y.shape).bfloat16().to(y.dtype)
    return y, list(torch.autograd.grad(y, [x, *module.parameters()], upstream))


def _assert_all_close(
    ours: tuple[torch.Tensor, list[torch.Tensor]], theirs: tuple[torch.Tensor, list[torch.Tensor]], share: float
) -> None:
    """Each tensor to within `share` of its largest value; one pixel in a thousand may lie on ReLU's other side."""
    for a, b in zip([ours[0], *ours[1]], [theirs[0], *theirs[1]], strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        wrong = (a - b).abs() > share * b.abs().max()
        assert wrong.float().mean() <= 1e-3, (a - b).abs().max()


@needs_compiler
@pytest.mark.parametrize("pool", [False, True], ids=["flat", "pool"])
@pytest.mark.parametrize("order", STILL_ORDERS, ids="-".join)
def test_agrees_with_torch_in_float32_for_any_width(order: tuple[str, ...], pool: bool) -> None:
    torch.manual_seed(1)
    for channels in [*range(1, 41), 48, 96]:
        height, width = 2 + channels % 9, 2 + channels % 7
        theirs = _modules(order, channels, pool)
        ours = fuse(copy.deepcopy(theirs))
        assert isinstance(ours, FusedNetwork)
        x = _input(3, channels, height, width)
        _assert_all_close(_gradients(ours, x), _gradients(theirs, x), 2e-5)
        for a, b in zip(ours.buffers(), theirs.buffers(), strict=True):
            torch.testing.assert_close(a, b)


@needs_compiler
@pytest.mark.parametrize("pool", [False, True], ids=["flat", "pool"])
@pytest.mark.parametrize("order", STILL_ORDERS, ids="-".join)
@pytest.mark.parametrize("channels", [5, 8, 12, 20])
def test_agrees_with_torch_in_bfloat16(order: tuple[str, ...], pool: bool, channels: int) -> None:
    torch.manual_seed(2)
    theirs = _modules(order, channels, pool)
    ours = fuse(copy.deepcopy(theirs))
    x = _input(16, channels, 13, 10, torch.bfloat16)
    exact = _gradients(theirs.float(), x.float().detach().requires_grad_())
    y, gradients = _gradients(ours, x)
    _assert_all_close((y.float(), [g.float() for g in gradients]), exact, 2e-2)


@needs_compiler
def test_statistics_survive_a_large_mean() -> None:
    theirs = nn.Sequential(nn.BatchNorm2d(3))
    ours = fuse(copy.deepcopy(theirs))
    x = (torch.randn(64, 3, 20, 20) + torch.tensor([0.0, 300.0, -3000.0]).view(1, 3, 1, 1)).double()
    exact = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(ours(x.float()).double(), exact, rtol=1e-3, atol=1e-3)


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
    x = _input(4, 6, 8, 6)
    fused = _modules(order, 6, pool)
    seed = 1234567
    # A tile is an image row where a pool follows, and the mask goes by tiles: read it off with the same tiles.
    mask = _mask_of(seed, x, pool)
    plain = copy.deepcopy(fused)
    plain[order.index("dropout")] = _Times(mask)
    block = _AsModule(fused, seed)
    _assert_all_close(_gradients(block, x), _gradients(plain, x), 2e-5)


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
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("order", STILL_ORDERS, ids="-".join)
def test_a_value_that_is_not_finite_shows_in_the_loss(bad: float, order: tuple[str, ...]) -> None:
    for pool in (False, True):
        for at in range(4):
            x = _input(4, 3, 4, 4).detach()
            x[2, 1, at // 2, at % 2] = bad
            ours, theirs = fuse(_modules(order, 3, pool)), _modules(order, 3, pool)
            assert theirs(x).sum().isfinite() == ours(x).sum().isfinite()
            if math.isnan(bad):
                assert ours(x).sum().isnan()


@needs_compiler
def test_what_is_not_known_goes_through_the_modules() -> None:
    odd = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GELU(), nn.BatchNorm2d(4, momentum=None), nn.MaxPool2d(3), nn.ReLU())
    ours = fuse(copy.deepcopy(odd))
    x = example_input(3)
    assert torch.equal(ours(x), odd(x))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        fuse(nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()))(torch.ones(1, 4, 1, 1))


@pytest.mark.parametrize("change", [{library.SWITCH: "0"}, {"CC": "no-such-compiler", "PATH": "/nowhere"}])
def test_without_kernels_torch_does_it(change: dict[str, str]) -> None:
    code = (
        "import torch; from models.build import build; from trainer.fused.network import fuse;"
        "from tests.trainer.fused.test_fused import ARCH; from trainer.fused.sampling import sample;"
        "n = build(ARCH, 0.1); f = fuse(n); assert f is n; f(torch.ones(2, 1, 28, 28)).sum().backward();"
        "o = sample(torch.ones(3, 28, 28, dtype=torch.uint8), torch.tensor([1, 2]), torch.eye(2, 3).expand(2, 2, 3),"
        " 0, 1, 0); assert o.shape == (2, 1, 28, 28)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | change, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@needs_compiler
def test_compiles_into_the_cache_folder(tmp_path: Path) -> None:
    code = "from trainer.fused.library import library; assert library() is not None"
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    root = Path(__file__).parents[3]
    workers = [subprocess.Popen([sys.executable, "-c", code], env=env, cwd=root) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert len(list((tmp_path / "mnist-search").iterdir())) == 1


@needs_compiler
@pytest.mark.parametrize("fill", [0, 77])
def test_sampling_agrees_with_grid_sample(fill: int) -> None:
    torch.manual_seed(10)
    for height, width in [(28, 28), (5, 9)]:
        pixels = torch.randint(0, 256, (50, height, width), dtype=torch.uint8)
        index = torch.randperm(50)[:32]
        theta = torch.eye(2, 3) + torch.linspace(0, 2, 32).view(-1, 1, 1) * torch.randn(32, 2, 3)
        theta[1] *= 100  # almost all of it lies outside
        expected = _sample_by_torch(pixels[index], theta, fill) * 0.5 - 3
        torch.testing.assert_close(sample(pixels, index, theta, fill, 0.5, -3), expected, rtol=0, atol=2e-3 * height)
        still = sample(pixels, index, torch.eye(2, 3).expand(32, 2, 3), fill, 1, 0)
        torch.testing.assert_close(still[:, 0], pixels[index].float(), rtol=0, atol=1e-3)


@needs_compiler
def test_sampling_refuses_an_index_outside() -> None:
    pixels = torch.zeros(3, 28, 28, dtype=torch.uint8)
    with pytest.raises(IndexError, match="outside 0 to 2"):
        sample(pixels, torch.tensor([3]), torch.eye(2, 3)[None], 0, 1, 0)


@needs_compiler
@pytest.mark.parametrize("pool", [False, True], ids=["flat", "pool"])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_evaluates_as_torch_does(order: tuple[str, ...], pool: bool) -> None:
    torch.manual_seed(5)
    theirs = _modules(order, 12, pool)
    theirs(_input(4, 12, 9, 7))  # so that the running statistics are not those of a new layer
    ours = fuse(copy.deepcopy(theirs)).eval()
    x = _input(3, 12, 9, 7).detach()
    before = copy.deepcopy(dict(ours.named_buffers()))
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs.eval()(x))
    for name, buffer in ours.named_buffers():
        assert torch.equal(buffer, before[name])


@needs_compiler
@pytest.mark.parametrize("order", [("bn", "relu"), ("bn", "relu", "dropout"), ("bn", "dropout", "relu")], ids="-".join)
def test_a_dead_channel_learns_what_torch_lets_it_learn(order: tuple[str, ...]) -> None:
    """Its values all lie on ReLU's corner, where the gradient is zero; the mask is read off the output."""
    torch.manual_seed(6)
    theirs = _modules(order, 4, dropout=0.0)
    ours = fuse(copy.deepcopy(theirs))
    x = torch.zeros(2, 4, 5, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    _assert_all_close(_gradients(ours, x), _gradients(theirs, x), 2e-5)
