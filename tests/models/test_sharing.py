"""Weights that several convolutions share are one tensor: counted, stored and trained once."""

import copy

import torch
from torch import nn

from models.arch import ArchSpec
from models.build import build, count_params
from models.layers import Conv, Gap

OWN = (Conv(8), Conv(8, padding=1), Gap(), Conv(10, 1, then=()))
SHARED = ArchSpec((*OWN[:2], Conv(8, padding=1, shares=1), *OWN[2:]))


def test_they_are_counted_and_stored_once() -> None:
    own, shared = build(ArchSpec(OWN)), build(SHARED)
    assert count_params(shared) == SHARED.params == count_params(own) + 2 * 8
    assert "3_conv.weight" not in shared.state_dict()
    assert "3_bn.weight" in shared.state_dict()


def test_both_places_teach_them() -> None:
    """Their gradient is the sum of those that two copies would get."""
    torch.manual_seed(0)
    shared = build(SHARED)
    apart = build(ArchSpec(tuple(Conv(8, padding=1) if x == SHARED.layers[2] else x for x in SHARED.layers)))
    apart.load_state_dict({**shared.state_dict(), "3_conv.weight": shared.get_parameter("2_conv.weight")})
    images = torch.rand(4, 1, 28, 28)
    for network in (shared, apart):
        network(images).sin().sum().backward()
    both = [apart.get_parameter(f"{number}_conv.weight").grad for number in (2, 3)]
    torch.testing.assert_close(shared.get_parameter("2_conv.weight").grad, both[0] + both[1])  # type: ignore[operator]


def test_a_copy_of_the_network_shares_among_itself() -> None:
    network = build(SHARED)
    other = copy.deepcopy(network).eval()
    images = torch.rand(2, 1, 28, 28)
    nn.init.zeros_(network.get_parameter("2_conv.weight"))
    before = other(images)
    nn.init.zeros_(other.get_parameter("2_conv.weight"))
    assert not torch.equal(other(images), before)
