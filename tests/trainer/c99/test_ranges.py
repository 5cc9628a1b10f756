"""What is said of activations is what torch computes."""

import numpy as np
import torch

from tests.helpers.c_programs import ARCHS, MEAN, STD, folded, some_pixels
from trainer.c99.ranges import activations


def test_lowest_highest_and_mean_of_every_tensor() -> None:
    """Over more images than one batch, and a rest."""
    network, pixels = folded(ARCHS["odd"]), some_pixels(60)[7:]
    x = (pixels.unsqueeze(1).double() / 255 - MEAN) / STD
    found = activations(network, pixels)
    assert len(found) == 1 + len(network.steps)
    for step, activation in zip([torch.nn.Identity(), *network.module().double().steps], found, strict=True):
        x = step(x)
        assert activation.low == min(0, float(x.min()))
        assert activation.high == max(0, float(x.max()))
        np.testing.assert_allclose(activation.mean, x.mean((0, 2, 3)).numpy(), atol=1e-9)
