"""What is found lies where the makers of each dataset put it."""

import numpy as np
import pytest
from PIL import Image

from tests.helpers.pictures import MNIST, likeness, printed
from trainer.pictures.framing import FRAMINGS, centre_of_mass, framing_of
from trainer.pictures.pieces import box_of
from trainer.pictures.seeing import see


@pytest.mark.parametrize("digit", range(10))
def test_as_mnist_the_longer_side_is_20_and_the_mass_in_the_middle(digit: int) -> None:
    pixels = see(printed(digit), MNIST)
    assert pixels.shape == (28, 28)
    assert pixels.dtype == np.uint8
    assert box_of(pixels > 0).longer == 20
    rows, columns = np.mgrid[0:28, 0:28]
    centre = np.array([(rows * pixels.astype(float)).sum(), (columns * pixels.astype(float)).sum()]) / pixels.sum()
    assert (np.abs(centre - 14) <= 0.5).all()
    assert centre_of_mass(pixels) == pytest.approx(centre)


def test_as_the_digits_it_fills_the_picture() -> None:
    pixels = see(printed(8), FRAMINGS["digits"])
    box = box_of(pixels > 30)
    assert (box.top, box.bottom) == (0, 28)
    assert box.left + box.right == pytest.approx(28, abs=4)


@pytest.mark.parametrize("dataset", ["fashion-mnist", "kmnist"])
def test_whole_pictures_keep_their_greys_and_are_light_on_dark(dataset: str) -> None:
    coat = np.full((80, 40), 255, np.uint8)
    coat[10:70, 5:20], coat[10:70, 20:35] = 100, 0
    pixels = see(Image.fromarray(coat), framing_of(dataset))
    expected = np.zeros((28, 28), np.uint8)
    expected[4:24, 9:14], expected[4:24, 14:19] = 155, 255
    assert likeness(pixels, expected) > 0.95
    assert abs(int(pixels[14, 11]) - 155) < 5
    assert pixels[14, 17] > 240
    assert not pixels[:, :6].any()


def test_any_other_dataset_is_framed_as_mnist() -> None:
    assert framing_of("my-own") == MNIST
