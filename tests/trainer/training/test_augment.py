"""Augmentation against torchvision's transforms, image by image."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

import trainer.training.augment
from models.recipe import Recipe
from tests.helpers.augmentation import ALL_RANGES, SIDE, B, augmented, draw_images, noise


def images() -> torch.Tensor:
    """The noise as torchvision's ToTensor gives it: (B, 1, 28, 28) of 0..1."""
    return noise().unsqueeze(1) / 255


Pin = Callable[[dict[float, torch.Tensor]], None]


@pytest.fixture
def pin(monkeypatch: pytest.MonkeyPatch) -> Pin:
    """Makes the draws of one batch: for each half range, what is drawn for every image, as shares of it."""

    def replace(shares: dict[float, torch.Tensor]) -> None:
        rows = {half_range: iter(values.reshape(-1, B)) for half_range, values in shares.items()}

        def pinned(n: int, half_range: float, generator: torch.Generator) -> torch.Tensor:
            assert n == B
            return next(rows[half_range], torch.zeros(B)) * half_range if half_range else torch.zeros(B)

        monkeypatch.setattr(trainer.training.augment, "_uniform", pinned)

    return replace


def shares(seed: int, n: int = 1) -> torch.Tensor:
    """Draws (n, B) from -1 to 1, the two ends among them."""
    drawn = torch.rand(n, B, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    drawn[:, 0], drawn[:, 1] = 1, -1
    return drawn


class Moves(NamedTuple):
    """What is done to each image, (B,): degrees and pixels."""

    turned: torch.Tensor = torch.zeros(B)
    right: torch.Tensor = torch.zeros(B)
    down: torch.Tensor = torch.zeros(B)
    zoom: torch.Tensor = torch.ones(B)
    slanted: torch.Tensor = torch.zeros(B)

    def by_torchvision(self, batch: torch.Tensor, fill: list[float] | None = None) -> torch.Tensor:
        """Each image through torchvision's affine, whose angles run the other way round."""
        rows = zip(batch, *(values.tolist() for values in self), strict=True)
        moved = [
            F.affine(image, -angle, [x, y], scale, [slant, 0.0], InterpolationMode.BILINEAR, fill)
            for image, angle, x, y, scale, slant in rows
        ]
        return torch.stack(moved)


def assert_moved(actual: torch.Tensor, moves: Moves, fill: int) -> None:
    """Holds against torchvision, which mixes its fill in twice where a pixel lies across the border of the image.

    So the fill is made the zero first, which torchvision brings in when it is given none; and wholly within and wholly
    without the image its own fill must give the same.
    """
    level = fill / 255
    expected = moves.by_torchvision(images() - level) + level
    torch.testing.assert_close(actual, expected, rtol=0, atol=2e-5)
    cover = moves.by_torchvision(torch.ones_like(images()))
    is_clear = (cover < 1e-6) | (cover > 1 - 1e-6)
    assert is_clear.float().mean() > 0.8
    with_fill = moves.by_torchvision(images(), [level])
    torch.testing.assert_close(actual[is_clear], with_fill[is_clear], rtol=0, atol=2e-5)


def test_no_ranges_no_change() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    unchanged = draw_images(noise(), torch.arange(B), Recipe(fill=77), generator)
    torch.testing.assert_close(unchanged, images(), rtol=0, atol=1e-7)
    assert torch.equal(generator.get_state(), before)


def test_the_images_are_those_of_the_index(pin: Pin) -> None:
    index = torch.tensor([4, 0, 0, 5, 2, 1])
    generator = torch.Generator()
    torch.testing.assert_close(draw_images(noise(), index, Recipe(), generator), images()[index], rtol=0, atol=1e-7)
    pin({15.0: torch.zeros(B)})
    unturned = draw_images(noise(), index, Recipe(rotation_degrees=15), generator)
    torch.testing.assert_close(unturned, images()[index], rtol=0, atol=2e-5)


@pytest.mark.parametrize("fill", [0, 40, 255])
@pytest.mark.parametrize("degrees", [5.0, 15.0, 90.0, 180.0])
def test_rotation_is_torchvisions(pin: Pin, degrees: float, fill: int) -> None:
    drawn = shares(1)
    pin({degrees: drawn})
    actual = augmented(Recipe(rotation_degrees=degrees, fill=fill))
    assert_moved(actual, Moves(turned=drawn[0] * degrees), fill)


@pytest.mark.parametrize("fill", [0, 40])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_translation_is_torchvisions(pin: Pin, share: float, fill: int) -> None:
    drawn = shares(2, 2)
    pin({share: drawn})
    right, down = drawn * share * SIDE
    assert_moved(augmented(Recipe(translation_share=share, fill=fill)), Moves(right=right, down=down), fill)


@pytest.mark.parametrize("fill", [0, 40])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.9])
def test_scale_is_torchvisions(pin: Pin, share: float, fill: int) -> None:
    drawn = shares(3)
    pin({share: drawn})
    assert_moved(augmented(Recipe(scale_share=share, fill=fill)), Moves(zoom=1 + drawn[0] * share), fill)


@pytest.mark.parametrize("fill", [0, 40])
@pytest.mark.parametrize("degrees", [5.0, 20.0, 45.0])
def test_shear_is_torchvisions(pin: Pin, degrees: float, fill: int) -> None:
    drawn = shares(5)
    pin({degrees: drawn})
    assert_moved(augmented(Recipe(shear_degrees=degrees, fill=fill)), Moves(slanted=drawn[0] * degrees), fill)


@pytest.mark.parametrize("slant", [0.0, 12.0])
@pytest.mark.parametrize("seed", range(5))
def test_all_together_are_torchvisions(pin: Pin, seed: int, slant: float) -> None:
    turned, zoomed, moved, slanted = shares(10 + seed), shares(20 + seed).flip(1), shares(30 + seed, 2), shares(7)
    pin({30.0: turned, 0.3: zoomed, 0.2: moved, 12.0: slanted})
    right, down = moved * 0.2 * SIDE
    recipe = Recipe(rotation_degrees=30, scale_share=0.3, translation_share=0.2, shear_degrees=slant, fill=40)
    moves = Moves(turned[0] * 30, right, down, 1 + zoomed[0] * 0.3, slanted[0] * slant)
    assert_moved(augmented(recipe), moves, 40)


def test_brightness_is_torchvisions(pin: Pin) -> None:
    drawn = shares(4)
    pin({0.6: drawn})
    factors = (1 + drawn[0] * 0.6).tolist()
    expected = [F.adjust_brightness(image, f) for image, f in zip(images(), factors, strict=True)]
    torch.testing.assert_close(augmented(Recipe(brightness=0.6)), torch.stack(expected))


def test_contrast_is_torchvisions(pin: Pin) -> None:
    drawn = shares(5)
    pin({0.6: drawn})
    factors = (1 + drawn[0] * 0.6).tolist()
    expected = [F.adjust_contrast(image, f) for image, f in zip(images(), factors, strict=True)]
    torch.testing.assert_close(augmented(Recipe(contrast=0.6)), torch.stack(expected))


def test_brightness_comes_before_contrast(pin: Pin) -> None:
    pin({0.9: torch.ones(B), 0.6: torch.ones(B)})
    expected = [F.adjust_contrast(F.adjust_brightness(image, 1.9), 1.6) for image in images()]
    torch.testing.assert_close(augmented(Recipe(brightness=0.9, contrast=0.6)), torch.stack(expected))


def test_the_input_is_left_as_it_was() -> None:
    for recipe in (ALL_RANGES, Recipe(brightness=0.3)):
        pixels = noise()
        assert not torch.equal(augmented(recipe, pixels), images())
        assert torch.equal(pixels, noise())


def test_values_stay_those_of_pixels() -> None:
    changed = augmented(ALL_RANGES, noise(500))
    assert changed.shape == (500, 1, SIDE, SIDE)
    assert changed.dtype == torch.float32
    assert changed.min() >= 0
    assert changed.max() <= 1
    moved = augmented(Recipe(rotation_degrees=180, translation_share=0.5, scale_share=0.9, fill=255), noise(500))
    assert moved.min() >= -1e-6  # bilinear weights sum to 1 but for rounding
    assert moved.max() <= 1 + 1e-6
