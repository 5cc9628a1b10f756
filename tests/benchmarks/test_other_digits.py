"""The reading of foreign digits counts what it says it counts."""

import numpy as np
from PIL import Image, ImageOps

from benchmarks.other_digits import naively, read, row
from tests.helpers.pictures import MNIST, printed
from trainer.pictures.origins import LabelledPicture


def always_five(images: np.ndarray) -> np.ndarray:
    return np.tile(np.eye(10, dtype=np.float32)[5], (len(images), 1))


def test_right_wrong_and_not_found_are_told_apart() -> None:
    blank = LabelledPicture(Image.new("L", (50, 50), 255), 5)
    pictures = [*(LabelledPicture(printed(digit), digit) for digit in (5, 5, 8)), blank]
    reading = read(pictures, MNIST, always_five)
    assert (reading.n, reading.n_right, reading.n_naive_right, reading.n_not_found) == (4, 2, 3, 1)
    assert row("made", reading) == ("made", "4", "50.00 %", "75.00 %", "1", "–", "8→5 1")
    assert [tile.shape for tile in reading.wrong] == [(84, 168)]


def test_naively_a_light_border_is_inverted_and_nothing_else_done() -> None:
    picture = printed(3, 100)
    assert np.array_equal(naively(picture), 255 - np.asarray(picture.resize((28, 28))))
    assert np.array_equal(naively(ImageOps.invert(picture)), np.asarray(ImageOps.invert(picture).resize((28, 28))))
