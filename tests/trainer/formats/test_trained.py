"""The trained network, against which files are held."""

import numpy as np
import torch

from tests.helpers.bundles import digits, network
from trainer.formats.trained import restore


def test_its_logits_are_those_of_its_training() -> None:
    trained = network()
    images = digits().test.select(np.arange(50))
    with torch.no_grad():
        pixels = (images.pixels[:, None].float() / 255 - trained.mean) / trained.std
        expected = restore(trained.candidate.arch, trained.weights)(pixels)
    torch.testing.assert_close(trained.logits(images.pixels), expected, rtol=1e-5, atol=1e-5)
    assert (expected.argmax(1) == images.labels).float().mean() > 0.8


def test_restored_it_is_in_evaluation_mode_and_itself() -> None:
    trained = network()
    again = restore(trained.candidate.arch, trained.weights)
    assert not any(module.training for module in again.modules())
    assert all(torch.equal(value, trained.weights[name]) for name, value in again.state_dict().items())


def test_folded_it_computes_the_same() -> None:
    trained, images = network(), digits().test.pixels
    with torch.no_grad():
        folded = trained.folded.module()(images[:, None])
    torch.testing.assert_close(folded, trained.logits(images), rtol=1e-4, atol=1e-4)
