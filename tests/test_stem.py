"""The fused first convolution against torch's own."""

import copy

import pytest
import torch
from torch import nn

from models.build import build, example_input
from tests.test_fused import ARCH, needs_compiler
from trainer.fused.network import fuse
from trainer.fused.stem import Stem

SHAPES = [
    (kernel, stride, padding) for kernel in range(1, 8) for stride in (1, 2, 3) for padding in {0, 1, kernel // 2, 4}
]


def _conv(channels: int, kernel: int = 3, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(1, channels, kernel, stride, padding, bias=False)


def _pass(conv: nn.Conv2d, images: torch.Tensor, ours: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The output, and the gradient at the weights for an upstream gradient whose sums do not cancel out."""
    stem = Stem.of(conv)
    assert stem is not None
    assert stem.accepts(images)
    y = stem(images, 0) if ours else conv(images)
    upstream = (0.5 + torch.arange(y.numel()).cos()).view(y.shape).to(y.dtype)
    (gradient,) = torch.autograd.grad(y, conv.weight, upstream)
    return y, gradient


@needs_compiler
@pytest.mark.parametrize(("kernel", "stride", "padding"), SHAPES)
def test_agrees_with_torch_in_float32(kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(1)
    for channels in (1, 7, 8, 9, 16, 20, 33):
        conv, images = _conv(channels, kernel, stride, padding), torch.randn(3, 1, 11, 8)
        for ours, theirs in zip(_pass(conv, images, True), _pass(conv, images, False), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * float(theirs.detach().abs().max()))


@needs_compiler
@pytest.mark.parametrize("channels", [5, 16, 20])
def test_agrees_with_torch_in_bfloat16(channels: int) -> None:
    """It is the exact result rounded once, as torch's is but for its rounded weights and images."""
    torch.manual_seed(2)
    conv, images = _conv(channels, 5, 1, 2), torch.randn(4, 1, 28, 28)
    exact, exact_gradient = _pass(conv, images, False)
    with torch.autocast("cpu", torch.bfloat16):
        y, gradient = _pass(conv, images, True)
    assert (y.dtype, gradient.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(y, _pass(conv, images, True)[0].bfloat16())
    torch.testing.assert_close(y.float(), exact, rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(gradient, exact_gradient, rtol=1e-2, atol=1e-2 * float(exact_gradient.abs().max()))


@needs_compiler
def test_sums_of_many_images_keep_their_digits() -> None:
    """A large gradient sum beside small ones: gathered in float32 alone, the last images would be lost."""
    conv, images = _conv(3), torch.full((4096, 1, 6, 6), 1 / 3)
    images[0] *= 3e4
    _, gradient = _pass(conv, images, True)
    y = conv(images).double()
    upstream = (0.5 + torch.arange(y.numel()).cos()).view(y.shape).double()
    exact = (upstream.sum((2, 3)) * images[:, :, 0, 0].double()).sum(0)
    torch.testing.assert_close(gradient[:, 0, 1, 1].double(), exact, rtol=1e-6, atol=0)


@needs_compiler
def test_the_first_convolution_of_a_built_network_is_one() -> None:
    network = build(ARCH, 0.1)
    assert [Stem.of(module) is not None for module in network if isinstance(module, nn.Conv2d)] == [
        True,
        *([False] * (sum(isinstance(module, nn.Conv2d) for module in network) - 1)),
    ]
    torch.manual_seed(3)
    y = fuse(network).train()(example_input(2))
    names = set()
    nodes = [y.grad_fn]
    while nodes:
        node = nodes.pop()
        if node is not None:
            names.add(node.name())
            nodes += [following for following, _ in node.next_functions]
    assert "_ConvolvedBackward" in names


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(1, 4, 3),
        nn.Conv2d(2, 4, 3, bias=False),
        nn.Conv2d(1, 4, 8, bias=False),
        nn.Conv2d(1, 4, (3, 1), bias=False),
        nn.Conv2d(1, 4, 3, dilation=2, bias=False),
        nn.Conv2d(1, 4, 3, padding="same", bias=False),
        nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect", bias=False),
        nn.ConvTranspose2d(1, 4, 3, bias=False),
    ],
    ids=str,
)
def test_others_are_left_to_torch(conv: nn.Module) -> None:
    assert Stem.of(conv) is None


@needs_compiler
def test_images_it_cannot_do_are_left_to_torch() -> None:
    conv = _conv(4)
    network = fuse(nn.Sequential(copy.deepcopy(conv)))
    images = torch.randn(2, 1, 6, 6, requires_grad=True)
    network(images).sum().backward()  # a gradient at the images is torch's work
    assert images.grad is not None
    for refused in (images.detach().double(), torch.randn(2, 1, 2, 6), torch.randn(0, 1, 6, 6), torch.randn(1, 6, 6)):
        stem = Stem.of(conv)
        assert stem is not None
        assert not stem.accepts(refused)
