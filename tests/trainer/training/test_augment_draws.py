"""What augmentation draws: for each image anew, the same with the same seed, evenly in its range."""

import math
from collections.abc import Iterator

import pytest
import torch

import trainer.training.augment
from models.recipe import Recipe
from tests.helpers.augmentation import ALL_RANGES, SIDE, B, augmented, draw_images, noise
from trainer.training.augment import draw_changes


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(rotation_degrees=15),
        Recipe(translation_share=0.1),
        Recipe(scale_share=0.2),
        Recipe(shear_degrees=20),
        Recipe(brightness=0.3),
        Recipe(contrast=0.3),
    ],
)
def test_each_image_has_its_own_draw(recipe: Recipe) -> None:
    same = (noise(1) // 2).expand(50, SIDE, SIDE).clone()  # so dark that nothing is cut at white
    changed = augmented(recipe, same).flatten(1)
    assert len(changed.unique(dim=0)) == 50


def test_a_seed_always_gives_the_same() -> None:
    torch.manual_seed(1)
    first = augmented(ALL_RANGES, seed=3)
    torch.manual_seed(2)  # the global generator has no say
    before = torch.get_rng_state()
    second = augmented(ALL_RANGES, seed=3)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, augmented(ALL_RANGES, seed=4))


def test_a_generator_goes_on_from_batch_to_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (draw_images(noise(), torch.arange(B), ALL_RANGES, generator) for _ in range(2))
    assert not torch.equal(first, second)


def draws_of(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, n: int = 20_000) -> Iterator[torch.Tensor]:
    """What is drawn for n images, a tensor for each range in use."""
    drawn: list[torch.Tensor] = []
    original = trainer.training.augment._uniform

    def spy(n: int, half_range: float, generator: torch.Generator) -> torch.Tensor:
        values = original(n, half_range, generator)
        if half_range:
            drawn.append(values)
        return values

    monkeypatch.setattr(trainer.training.augment, "_uniform", spy)
    augmented(recipe, torch.full((n, 2, 2), 51, dtype=torch.uint8))
    return iter(drawn)


@pytest.mark.parametrize(
    ("recipe", "half_range", "n_draws"),
    [
        (Recipe(rotation_degrees=15), 15, 1),
        (Recipe(translation_share=0.1), 0.1, 2),
        (Recipe(scale_share=0.2), 0.2, 1),
        (Recipe(shear_degrees=20), 20, 1),
        (Recipe(brightness=0.3), 0.3, 1),
        (Recipe(contrast=0.4), 0.4, 1),
    ],
)
def test_draws_are_uniform_in_their_range(
    recipe: Recipe, half_range: float, n_draws: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = list(draws_of(recipe, monkeypatch))
    assert len(drawn) == n_draws
    for values in drawn:
        n = len(values)
        assert values.abs().max() <= half_range
        # Kolmogorov and Smirnov's distance to the uniform distribution; over 1.95 / sqrt(n) once in a thousand.
        places = (values.sort().values / half_range + 1) / 2
        distance = (places - (torch.arange(n) + 0.5) / n).abs().max()
        assert distance < 1.95 / math.sqrt(n)


def test_draws_of_different_ranges_are_independent(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = torch.stack(list(draws_of(ALL_RANGES, monkeypatch)))
    assert len(drawn) == 7
    correlations = torch.corrcoef(drawn) - torch.eye(7)
    assert correlations.abs().max() < 5 / math.sqrt(drawn.shape[1])


def test_half_the_strength_is_half_of_every_change_and_none_is_the_image_itself() -> None:
    whole, half, none = (
        draw_changes(500, ALL_RANGES, torch.Generator().manual_seed(1), strength) for strength in (1.0, 0.5, 0.0)
    )
    for changes, share in ((whole, 1.0), (half, 0.5), (none, 0.0)):
        assert changes.theta is not None
        assert changes.brightness is not None
        assert changes.contrast is not None
        assert (changes.brightness - 1).abs().max() == pytest.approx(0.3 * share, rel=0.02)
        assert (changes.contrast - 1).abs().max() == pytest.approx(0.4 * share, rel=0.02)
    assert none.theta is not None
    torch.testing.assert_close(none.theta, torch.eye(2, 3).expand(500, 2, 3))
    assert half.brightness is not None
    assert whole.brightness is not None
    torch.testing.assert_close(half.brightness - 1, (whole.brightness - 1) / 2, rtol=0, atol=1e-6)


def test_brightness_factors_are_seen_in_the_images() -> None:
    factors = augmented(Recipe(brightness=0.3), torch.full((20_000, 2, 2), 51, dtype=torch.uint8))[:, 0, 0, 0] / 0.2
    assert 0.7 - 1e-6 <= factors.min() < 0.7 + 0.01
    assert 1.3 - 0.01 < factors.max() <= 1.3 + 1e-6
    assert abs(factors.mean().item() - 1) < 5 * 0.3 / math.sqrt(3 * 20_000)


def test_moves_are_within_their_share_whatever_the_turn_and_zoom() -> None:
    # A single bright block in the middle: its centre of mass shows where the image went.
    block = torch.zeros(2_000, SIDE, SIDE, dtype=torch.uint8)
    block[:, 12:16, 12:16] = 255
    recipe = Recipe(rotation_degrees=180, scale_share=0.3, translation_share=0.25)
    moved = augmented(recipe, block)[:, 0]
    mass = moved.sum((1, 2))
    places = torch.arange(SIDE) - (SIDE - 1) / 2
    right = (moved.sum(1) * places).sum(1) / mass
    down = (moved.sum(2) * places).sum(1) / mass
    for move in (right, down):
        assert 0.95 * 7 < move.abs().max() < 7 + 0.3  # a quarter of 28; sampling shifts the centre a little
