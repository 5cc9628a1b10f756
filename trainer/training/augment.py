"""Random changes of training images: drawn for a whole epoch, done a batch at a time on the device.

Every image gets its own draw. Rotation, scale, shear and translation are one bilinear resampling (as torchvision's
RandomAffine with interpolation=BILINEAR); brightness and contrast are as in its ColorJitter.
"""

import math
from dataclasses import dataclass

import torch

from models.recipe import Recipe
from trainer.fused.sampling import sample


@dataclass(frozen=True)
class Changes:
    """What is done to each of N images; None where a recipe has no such change."""

    theta: torch.Tensor | None = None
    """Maps (N, 2, 3) from output to input positions, in the units of affine_grid (half a side is 1)."""
    brightness: torch.Tensor | None = None
    """Factors (N,)."""
    contrast: torch.Tensor | None = None
    """Factors (N,)."""

    def at(self, places: torch.Tensor) -> "Changes":
        """Those of the images at these places (B,)."""
        chosen = (None if t is None else t.index_select(0, places) for t in self.tensors())
        return Changes(*chosen)

    def tensors(self) -> tuple[torch.Tensor | None, ...]:
        """Its fields, in order."""
        return self.theta, self.brightness, self.contrast


def draw_changes(n: int, recipe: Recipe, generator: torch.Generator, strength: float = 1.0) -> Changes:
    """Changes of n images within the recipe's ranges, or `strength` of these. What has a range is never None."""
    is_moved = recipe.rotation_degrees or recipe.translation_share or recipe.scale_share or recipe.shear_degrees
    return Changes(
        _draw_theta(n, recipe, generator, strength) if is_moved else None,
        1 + _uniform(n, strength * recipe.brightness, generator) if recipe.brightness else None,
        1 + _uniform(n, strength * recipe.contrast, generator) if recipe.contrast else None,
    )


def changed_images(
    pixels: torch.Tensor, index: torch.Tensor, changes: Changes, fill: int, mean: float = 0.0, std: float = 1.0
) -> torch.Tensor:
    """The images of `index` (B,) out of `pixels` (N, 28, 28) uint8, changed, as (B, 1, 28, 28) of (0..1 - mean) / std.

    `changes` are those of the B images; `fill` (0 to 255) is what comes in from outside.
    """
    is_jittered = changes.brightness is not None or changes.contrast is not None
    # The last step of all is scaling: it is part of the resampling where nothing stands between.
    scale, shift = (1 / 255, 0.0) if is_jittered else (1 / (255 * std), -mean / std)
    if changes.theta is not None:
        images = sample(pixels, index, changes.theta, fill, scale, shift)
    else:
        images = pixels[index].unsqueeze(1).float().mul_(scale).add_(shift)
    return (_jitter(images, changes) - mean) / std if is_jittered else images


def _draw_theta(n: int, recipe: Recipe, generator: torch.Generator, strength: float) -> torch.Tensor:
    """Maps (n, 2, 3) from output to input positions, in the units of affine_grid (half a side is 1)."""
    angle = _uniform(n, strength * recipe.rotation_degrees, generator) * (math.pi / 180)
    zoom = 1 + _uniform(n, strength * recipe.scale_share, generator)
    # The move is undone first: it is along the image's own sides and by as much as drawn, whatever the turn and zoom.
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    dx = 2 * _uniform(n, strength * recipe.translation_share, generator)
    dy = 2 * _uniform(n, strength * recipe.translation_share, generator)
    if not recipe.shear_degrees:
        return torch.stack([cos, -sin, sin * dy - cos * dx, sin, cos, -sin * dx - cos * dy], dim=1).view(n, 2, 3)
    slant = torch.tan(_uniform(n, strength * recipe.shear_degrees, generator) * (math.pi / 180))
    # How far a step to the right, and one down, goes to the right.
    across, along = cos + slant * sin, slant * cos - sin
    row = [across, along, -across * dx - along * dy]
    return torch.stack([*row, sin, cos, -sin * dx - cos * dy], dim=1).view(n, 2, 3)


def _jitter(images: torch.Tensor, changes: Changes) -> torch.Tensor:
    if changes.brightness is not None:
        images = (images * changes.brightness.view(-1, 1, 1, 1)).clamp(0, 1)
    if changes.contrast is not None:
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = ((images - mean) * changes.contrast.view(-1, 1, 1, 1) + mean).clamp(0, 1)
    return images


def _uniform(n: int, half_range: float, generator: torch.Generator) -> torch.Tensor:
    return (torch.rand(n, generator=generator) * 2 - 1) * half_range
