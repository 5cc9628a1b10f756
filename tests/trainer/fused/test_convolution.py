"""The kernels' convolutions against torch's in float64."""

import copy
import math
from unittest.mock import patch

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from models.arch import ArchSpec
from models.build import build
from models.layers import Conv, Gap, MaxPool
from models.sharing import SharedConv
from tests.helpers.kernels import needs_compiler
from trainer.fused.convolution import Convolution, is_covered
from trainer.fused.network import fuse

# batch, channels in and out, kernel, padding, groups, height, width
DEPTHWISE = [
    *((3, C, C, 3, padding, C, 9, 7) for C in (2, 3, 5, 8, 9, 12, 17, 28, 64) for padding in (0, 1, 2, 4)),
    *((2, C, C, kernel, 2, C, 8, 11) for C in (3, 8, 13) for kernel in (1, 2, 5, 6, 7)),
    *((2, 16, 16, size, padding, 16, size, size) for size in (3, 5, 7) for padding in (0, 1)),
    *((1, 20, 20, 3, 1, 20, height, width) for height, width in ((1, 1), (1, 4), (3, 1), (2, 2))),
    (40, 6, 6, 3, 0, 6, 33, 5),
    (33, 1, 1, 3, 1, 1, 20, 19),
]
FIRST = [
    *((3, 1, C, 3, padding, 1, 28, 28) for C in (1, 2, 4, 5, 8, 9, 16, 21, 33) for padding in (0, 1, 3)),
    *((2, 1, C, kernel, 0, 1, 12, 17) for C in (5, 8, 11) for kernel in (1, 2, 5, 7)),
]
POINTWISE = [
    *(
        (3, C_in, C_out, 1, 0, 1, 5, 7)
        for C_in in (2, 3, 5, 8, 12, 20, 33, 64)
        for C_out in (1, 3, 7, 8, 9, 20, 31, 64)
    ),
    *((batch, 12, C_out, 1, 0, 1, 1, 1) for batch in (1, 2, 128) for C_out in (1, 2, 7, 8, 10)),
    *((1, 9, C_out, 1, 0, 1, height, 16) for height in (15, 16, 17, 33) for C_out in (3, 20)),
    (2, 6, 10, 1, 1, 1, 4, 4),
]
SIZES = [(1, 1), (1, 5), (2, 1), (3, 3)]
FULL = [
    *(
        (3, C_in, C_out, 3, padding, 1, 7, 6)
        for C_in in (2, 5, 8, 20)
        for C_out in (1, 3, 8, 12, 20)
        for padding in (0, 1, 3)
    ),
    *((2, 12, C_out, 3, 1, 1, height, width) for C_out in (1, 3, 17) for height, width in SIZES),
    (40, 64, 48, 3, 1, 1, 5, 5),
    (1, 8, 10, 3, 0, 1, 3, 3),
]


def _module(shape: tuple[int, ...], bias: bool = False) -> nn.Conv2d:
    _, C_in, C_out, kernel, padding, groups, _, _ = shape
    return nn.Conv2d(C_in, C_out, kernel, padding=padding, groups=groups, bias=bias)


def _input(shape: tuple[int, ...], wants_gradient: bool | None = None) -> torch.Tensor:
    batch, C_in, *_, height, width = shape
    x = (torch.randn(batch, C_in, height, width) * 2 + 0.5).contiguous(memory_format=torch.channels_last)
    return x.requires_grad_(_has_gradient(shape) if wants_gradient is None else wants_gradient)


def _has_gradient(shape: tuple[int, ...]) -> bool:
    """A first convolution's input has none."""
    _, C_in, C_out, *_ = shape
    return C_in > 1 or C_out == 1


def _upstream(y: torch.Tensor) -> torch.Tensor:
    return (0.5 + torch.arange(y.numel()).cos()).view(y.shape).to(y.dtype)


def _results(call: object, x: torch.Tensor, module: nn.Module) -> list[torch.Tensor]:
    """y, and the gradients at x, if it wants one, and at the parameters."""
    y = call(x)  # type: ignore[operator]
    wanted = [tensor for tensor in (x, *module.parameters()) if tensor.requires_grad]
    return [y, *torch.autograd.grad(y, wanted, _upstream(y))]


def _expected(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    exact = copy.deepcopy(module).double()
    return _results(exact, x.detach().double().requires_grad_(x.requires_grad), exact)


def _assert_close(ours: list[torch.Tensor], exact: list[torch.Tensor]) -> None:
    for a, b in zip(ours, exact, strict=True):
        assert a.dtype == torch.float32
        assert a.shape == b.shape
        torch.testing.assert_close(a.double(), b, rtol=2e-5, atol=2e-6 * b.detach().abs().max().item() + 1e-12)


def _is_long_enough(shape: tuple[int, ...]) -> bool:
    """Rows that are shorter than a vector, which is longer with AVX-512, are torch's."""
    return Convolution(_module(shape)).accepts(_input(shape))


@needs_compiler
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("shapes", [DEPTHWISE, FIRST, POINTWISE, FULL], ids=["depthwise", "first", "pointwise", "full"])
def test_agrees_with_torch_in_float64(shapes: list[tuple[int, ...]], bias: bool) -> None:
    torch.manual_seed(1)
    taken = [shape for shape in shapes if _is_long_enough(shape)]
    assert len(taken) > 0.7 * len(shapes)
    for shape in taken:
        module, x = _module(shape, bias), _input(shape)
        _assert_close(_results(Convolution(module), x, module), _expected(module, x))


@needs_compiler
@pytest.mark.parametrize("shape", [DEPTHWISE[8], FIRST[5], POINTWISE[9], FULL[4]])
def test_inputs_and_weights_may_lie_in_any_way(shape: tuple[int, ...]) -> None:
    assert _is_long_enough(shape), "the kernels would write beyond a row that is shorter than a vector"
    torch.manual_seed(2)
    for memory_format in (torch.channels_last, torch.contiguous_format):
        module = _module(shape).to(memory_format=memory_format)
        whole = _input(shape).detach().contiguous(memory_format=memory_format)
        x = torch.stack([whole, whole], -1)[..., 0].requires_grad_(_has_gradient(shape))
        assert not x.is_contiguous()
        _assert_close(_results(Convolution(module), x, module), _expected(module, x))
        [gradient] = torch.autograd.grad(Convolution(module)(x).sum(), [module.weight])  # an upstream of strides 0
        exact = copy.deepcopy(module).double()
        [expected] = torch.autograd.grad(exact(x.detach().double()).sum(), [exact.weight])
        _assert_close([gradient], [expected])


@needs_compiler
@pytest.mark.parametrize("shape", [(2, 12, 12, 3, 1, 12, 6, 6), (2, 12, 20, 1, 0, 1, 6, 6), (2, 5, 9, 3, 0, 1, 6, 6)])
def test_only_what_is_wanted_is_worked_out(shape: tuple[int, ...]) -> None:
    module = _module(shape, bias=True)
    for frozen in (False, True):
        for wants in (False, True):
            for parameter in module.parameters():
                parameter.requires_grad_(not frozen)
            x = _input(shape, wants)
            y = Convolution(module)(x)
            assert y.requires_grad == (wants or not frozen)
            if y.requires_grad:
                y.sum().backward()
            assert (x.grad is not None) == wants
    assert all(parameter.grad is not None for parameter in module.parameters())


@needs_compiler
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [(2, 9, 9, 3, 1, 9, 6, 6), (2, 1, 9, 3, 0, 1, 6, 6), (2, 9, 5, 1, 0, 1, 6, 6),
                                   (2, 9, 12, 3, 0, 1, 6, 6)])  # fmt: skip
def test_what_is_not_finite_is_where_torch_has_it(bad: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(3)
    for at in range(36):
        module, x = _module(shape), _input(shape)
        with torch.no_grad():
            x[1, -1, at // 6, at % 6] = bad
        for ours, theirs in zip(_results(Convolution(module), x, module), _expected(module, x), strict=True):
            assert torch.equal(ours.isfinite(), theirs.isfinite())


@needs_compiler
@pytest.mark.parametrize("shape", [DEPTHWISE[10], FIRST[7], POINTWISE[20], FULL[6]])
def test_repeats_bit_for_bit(shape: tuple[int, ...]) -> None:
    torch.manual_seed(4)
    module, x = _module(shape, bias=True), _input(shape)
    first, again = (_results(Convolution(module), x, module) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(8, 8, 3, stride=2, groups=8),
        nn.Conv2d(8, 8, 3, dilation=2, groups=8),
        nn.Conv2d(8, 8, (3, 1), groups=8),
        nn.Conv2d(8, 8, 3, padding=(1, 0), groups=8),
        nn.Conv2d(8, 8, 3, padding="same", groups=8),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular", groups=8),
        nn.Conv2d(8, 16, 3, groups=8),
        nn.Conv2d(8, 8, 1, groups=2),
        nn.Conv2d(8, 8, 5),
        nn.Conv2d(64, 64, 1),
        nn.Conv2d(25, 24, 3),
        nn.Conv2d(1, 16, 3),
        nn.Conv2d(65, 65, 3, groups=65),
        nn.Conv1d(8, 8, 3, groups=8),
        nn.ConvTranspose2d(8, 8, 3, groups=8),
        SharedConv(nn.Conv2d(8, 8, 3, groups=8), stride=2, padding=1),
        SharedConv(nn.Conv2d(8, 8, 5), stride=1, padding=2),
    ],
    ids=repr,
)
def test_other_modules_are_torchs(module: nn.Module) -> None:
    assert not is_covered(module)


@needs_compiler
def test_with_several_threads_torch_convolves() -> None:
    convolution, x = Convolution(nn.Conv2d(8, 8, 3, groups=8)), torch.randn(2, 8, 9, 9)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert not convolution.accepts(x)
    finally:
        torch.set_num_threads(before)


@needs_compiler
@pytest.mark.parametrize("kernel", [1, 3])
def test_shared_weights_get_the_gradient_of_both_uses(kernel: int) -> None:
    owner = nn.Conv2d(6, 6, kernel, groups=6 if kernel == 3 else 1, bias=True)
    shared = SharedConv(owner, stride=1, padding=kernel // 2)
    network = nn.Sequential(owner, nn.ReLU(), shared, nn.ReLU(), SharedConv(owner, 1, 0))
    assert all(is_covered(module) for module in (owner, shared))
    x = torch.randn(3, 6, 12, 11, requires_grad=True)
    expected, expected_gradients = _gradients(network, x)
    found, gradients = _gradients(fuse(network).train(), x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def _gradients(network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    y = network(x)
    return y, torch.autograd.grad(y.square().sum(), [x, *network.parameters()])


@needs_compiler
def test_other_inputs_are_torchs() -> None:
    module = nn.Conv2d(8, 8, 3, groups=8)
    convolution, x = Convolution(module), torch.randn(2, 8, 9, 9)
    assert convolution.accepts(x)
    others = [x.double(), x.bfloat16(), x[0], x[:0], x[:, :7], x[:, :, :2], x.to("meta")]
    assert not any(convolution.accepts(other) for other in others)
    with torch.autocast("cpu", torch.bfloat16):
        assert not convolution.accepts(x)
    assert not Convolution(copy.deepcopy(module).double()).accepts(x)
    assert not Convolution(nn.Conv2d(1, 1, 3)).accepts(torch.randn(2, 1, 3, 3))  # a row shorter than a vector
    assert not convolution.accepts(torch.randn(2, 8, 26, 26))  # oneDNN is as fast
    images = torch.randn(2, 1, 9, 9)
    first = Convolution(nn.Conv2d(1, 8, 3))
    assert first.accepts(images)
    assert not first.accepts(images.requires_grad_())


def _separable() -> nn.Sequential:
    then = ("bn", "relu")
    layers = (
        *(Conv(9, then=then), MaxPool(2), Conv(9, padding=1, groups=9, then=()), Conv(20, 1, then=then)),
        *(Conv(12, 1, bias=True, then=then), Conv(16, then=then), Conv(16, groups=16, then=()), Gap()),
        Conv(10, 1, then=()),
    )
    return build(ArchSpec(layers)).to(memory_format=torch.channels_last)


def _loss_and_gradients(network: nn.Module) -> list[torch.Tensor]:
    dtype = next(network.parameters()).dtype
    images = torch.linspace(-1, 3, 16 * 784, dtype=dtype).sin().view(16, 1, 28, 28)
    loss = cross_entropy(network(images), torch.arange(16) % 10)
    return [loss, *torch.autograd.grad(loss, list(network.parameters()))]


@needs_compiler
def test_a_network_of_them_agrees_with_torch() -> None:
    torch.manual_seed(5)
    theirs = _separable()
    ours = fuse(copy.deepcopy(theirs))
    with patch.object(nn.Conv2d, "forward", side_effect=AssertionError("torch's convolution was called")):
        results = _loss_and_gradients(ours)
    for a, b in zip(results, _loss_and_gradients(theirs.double()), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-3, atol=1e-5)


@needs_compiler
def test_a_network_of_them_evaluates_as_torch_does() -> None:
    torch.manual_seed(6)
    theirs = _separable().eval()
    images = torch.randn(5, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(fuse(theirs).eval()(images), theirs(images), rtol=1e-4, atol=1e-5)


@needs_compiler
def test_under_autocast_torch_convolves() -> None:
    network = fuse(_separable())
    kernels = patch.object(Convolution, "__call__", side_effect=AssertionError("the kernels were called"))
    with kernels, torch.autocast("cpu", torch.bfloat16):
        assert network(torch.randn(4, 1, 28, 28)).dtype == torch.bfloat16
