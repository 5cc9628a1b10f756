"""Test vectors: whose images they are, and what is expected of them."""

import re

import numpy as np
import pytest
import torch

from models.errors import MnistSearchError
from tests.helpers.c_programs import Written, some_pixels
from trainer.c99.vectors import Vectors, one_of_each, vectors_text


def test_of_each_class_the_image_that_takes_the_least_text() -> None:
    pixels = torch.zeros(7, 28, 28, dtype=torch.uint8)
    for number, side in enumerate((9, 4, 3, 5, 4, 2)):
        pixels[number, 5 : 5 + side, 7 : 7 + side] = number + 1
    chosen = one_of_each(pixels, torch.tensor([7, 0, 7, 9, 0, 3, 1]))
    assert chosen.amax((1, 2)).tolist() == [2, 0, 6, 3, 4], "at a tie the first; and one of class 1 that is all black"


def test_what_is_expected_is_what_the_networks_say(odd: Written) -> None:
    pixels = some_pixels(4)
    vectors = Vectors.of(odd.network, odd.integer, pixels)
    with torch.no_grad():
        theirs = odd.network.module()(pixels.unsqueeze(1)).numpy()
    assert vectors.logits.dtype == np.float32
    np.testing.assert_allclose(vectors.logits, theirs, rtol=1e-4, atol=1e-5)
    assert np.array_equal(vectors.integer_logits, odd.integer.logits(pixels))


def test_the_text_holds_the_images(odd: Written) -> None:
    """Read back as the program does: a rectangle of hexadecimal pixels, all else black."""
    pixels = some_pixels(5)
    text = vectors_text(Vectors.of(odd.network, odd.integer, pixels))
    found = re.findall(r"\{(\d+), (\d+), (\d+),((?:\s+\"[0-9a-f]*\")+),", text)
    assert len(found) == 5
    for image, (top, left, width, strings) in zip(pixels.numpy(), found, strict=True):
        raw = np.frombuffer(bytes.fromhex("".join(re.findall(r"[0-9a-f]+", strings))), np.uint8)
        drawn = np.zeros((28, 28), np.uint8)
        if len(raw):
            inner = raw.reshape(-1, int(width))
            drawn[int(top) : int(top) + len(inner), int(left) : int(left) + int(width)] = inner
        assert np.array_equal(drawn, image)


def test_no_image_is_refused(odd: Written) -> None:
    with pytest.raises(MnistSearchError, match=r"^test vectors need images: none were given$"):
        Vectors.of(odd.network, odd.integer, some_pixels()[:0])
