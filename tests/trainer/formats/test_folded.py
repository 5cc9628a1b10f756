"""Folded steps compute what the network does, whatever its layers."""

from collections.abc import Mapping

import pytest
import torch
from torch import nn

from models.arch import ArchSpec
from models.build import build
from models.layers import AvgPool, Conv, Dropout, Gap, MaxPool
from models.presets import PRESETS
from models.template import HEADS, Template
from tests.helpers.networks import ODD, WIDER, initialised
from trainer.formats.folded import ConvStep, PoolStep, fold

MEAN, STD = 0.1307, 0.3081

ARCHS = {
    "odd": ODD,
    "wider": WIDER,
    **{head: Template(stem=(4,), transition=3, body=(5, 6), head=head, stem_kernel=5).arch() for head in HEADS},
    **{name: preset.arch for name, preset in PRESETS.items()},
}


@pytest.mark.parametrize("name", ARCHS)
def test_folded_is_the_network(name: str) -> None:
    network = initialised(ARCHS[name])
    folded = fold(ARCHS[name], network.state_dict(), MEAN, STD)
    images = torch.rand(5, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(folded.module()(images), network((images - MEAN) / STD), rtol=1e-4, atol=1e-4)


def test_uint8_and_float_images_are_alike() -> None:
    module = fold(ODD, initialised(ODD).state_dict(), MEAN, STD).module()
    pixels = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(module(pixels), module(pixels.float() / 255))
        assert torch.equal(module(pixels // 255), module((pixels // 255).float() / 255))  # no pixel above 1


def test_what_is_folded_is_gone() -> None:
    """BatchNorm at once behind its convolution leaves no trace; behind a ReLU two values a channel are left."""
    arch = ArchSpec((Conv(4, 3, then=("bn", "relu", "dropout")), Dropout(), MaxPool(), Conv(6, then=("relu", "bn")),
                     Gap(), Conv(10, 1, bias=True, then=())))  # fmt: skip
    folded = fold(arch, initialised(arch).state_dict(), MEAN, STD)
    assert [type(step) for step in folded.steps] == [ConvStep, PoolStep, ConvStep, PoolStep, ConvStep]
    assert folded.n_weights == (4 * 9 + 4) + (6 * 4 * 9 + 6 + 12) + (10 * 6 + 10)
    assert folded.macs == arch.macs
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.module().modules())


def test_a_missing_weight_is_named() -> None:
    weights: Mapping[str, torch.Tensor] = {k: v for k, v in build(ODD).state_dict().items() if "running_var" not in k}
    with pytest.raises(KeyError, match=r"bn\.running_var"):
        fold(ODD, weights, MEAN, STD)


def test_pools_leave_out_a_rest_at_the_border() -> None:
    arch = ArchSpec((Conv(3, 4, then=("relu",)), AvgPool(3), MaxPool(3), Conv(10, 2, then=())))  # 25 -> 8 -> 2 -> 1
    network = initialised(arch)
    images = torch.rand(2, 1, 28, 28)
    with torch.no_grad():
        theirs = fold(arch, network.state_dict(), 0.0, 1.0).module()(images)
        torch.testing.assert_close(theirs, network(images), rtol=1e-5, atol=1e-5)
