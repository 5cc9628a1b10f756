"""The integer network computes what its definition says, bit for bit."""

import numpy as np
import pytest
import torch

from tests.helpers.c_programs import ARCHS, Written, some_pixels
from tests.helpers.integers import reference_logits, requantised
from trainer.c99.integer import Requantisation, _requantised


@pytest.mark.parametrize("name", ARCHS)
def test_it_is_the_definition(name: str, written: dict[str, Written]) -> None:
    integer = written[name].integer
    pixels = some_pixels(6)
    ours = integer.logits(pixels)
    assert ours.dtype == np.int32
    assert np.array_equal(ours, reference_logits(integer, pixels.numpy()))
    assert len(np.unique(ours, axis=0)) == 6  # images matter


def test_more_images_than_a_batch(odd: Written) -> None:
    pixels = some_pixels(60)
    alone = np.concatenate([odd.integer.logits(pixels[i : i + 7]) for i in range(0, 60, 7)])
    assert np.array_equal(odd.integer.logits(pixels), alone)


def test_halves_go_away_from_zero() -> None:
    by = Requantisation(np.array([2**30], np.int32), np.array([31], np.uint8), np.array([5], np.int32))
    sums = np.array([-3, -2, -1, 0, 1, 2, 3]).reshape(1, 1, 1, 7)
    expected = [5 - 2, 5 - 1, 5 - 1, 5, 5 + 1, 5 + 1, 5 + 2]
    assert requantised(sums, by).ravel().tolist() == expected
    assert _requantised(torch.from_numpy(sums).double(), by).flatten().tolist() == expected
