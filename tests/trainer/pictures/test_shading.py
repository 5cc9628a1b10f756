"""Uneven light by itself is no digit, and does not hide one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import polynomial
from PIL import Image

from models.errors import MnistSearchError
from tests.helpers.pictures import MNIST, inverted, lit, noisy, printed
from trainer.pictures.seeing import see
from trainer.pictures.shading import without_shading

SIDES = st.integers(8, 300)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_of_a_cubic_surface_nothing_is_left(height: int, width: int, seed: int) -> None:
    coefficients = np.random.default_rng(seed).uniform(-1, 1, (4, 4))
    y, x = np.linspace(0, 1, height), np.linspace(0, 1, width)
    values = polynomial.polygrid2d(y, x, coefficients)
    surface = ((values - values.min()) / np.ptp(values)).astype(np.float32)
    # Not exactly: it is fitted to means. The faintest ink differs from its paper by 0.07.
    assert np.abs(without_shading(surface)).max() < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 2), (3, 500), (5, 5)])
def test_sides_of_a_few_pixels(shape: tuple[int, int]) -> None:
    assert np.abs(without_shading(np.full(shape, 0.7, np.float32))).max() < 1e-5


def test_a_line_is_left_as_it_is() -> None:
    page = np.tile(np.linspace(0.4, 0.9, 300, dtype=np.float32), (200, 1))
    line = np.zeros_like(page)
    line[20:180, 150:153] = -0.3
    left = without_shading(page + line)
    assert np.abs(left - line).max() < 0.03


@pytest.mark.parametrize("angle", range(0, 360, 45))
@pytest.mark.parametrize("size", [(400, 300), (100, 130)])
def test_a_blank_page_in_uneven_light_is_no_digit(angle: int, size: tuple[int, int]) -> None:
    W, H = size
    y, x = np.mgrid[0:H, 0:W] / max(size) - 0.5
    towards = np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * y
    page = noisy(lit(Image.new("L", size, 220), 1 - 0.6 * (0.5 + towards)), 3)
    for one in (page, inverted(page)):
        with pytest.raises(MnistSearchError, match=r"^the picture: no digit found: nothing stands out"):
            see(one, MNIST)


def test_the_faintest_pencil_in_such_light_is_one() -> None:
    x = np.mgrid[0:200, 0:200][1] / 200
    page = lit(printed(7, paper=230, ink=195), 1 - 0.6 * x)
    assert see(page, MNIST).max() > 200
