"""Images to be augmented."""

import torch

from models.recipe import Recipe
from trainer.training.augment import changed_images, draw_changes

B = 6
SIDE = 28
ALL_RANGES = Recipe(
    rotation_degrees=15, translation_share=0.1, scale_share=0.2, shear_degrees=10, brightness=0.3, contrast=0.4, fill=40
)


def noise(n: int = B) -> torch.Tensor:
    """Pixels (n, 28, 28) uint8, coarse enough that a small move is no other noise."""
    coarse = torch.rand(n, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    fine = torch.nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic")
    return (fine[:, 0].clamp(0, 1) * 255).to(torch.uint8)


def draw_images(pixels: torch.Tensor, index: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """The images of `index` out of `pixels`, changed at random, of 0..1."""
    return changed_images(pixels, index, draw_changes(len(index), recipe, generator), recipe.fill)


def augmented(recipe: Recipe, pixels: torch.Tensor | None = None, seed: int = 0) -> torch.Tensor:
    pixels = noise() if pixels is None else pixels
    return draw_images(pixels, torch.arange(len(pixels)), recipe, torch.Generator().manual_seed(seed))
