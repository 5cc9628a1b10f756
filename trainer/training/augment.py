"""Random changes of training images, a batch at a time on the device.

Every image gets its own draw. Rotation, scale and translation are one bilinear resampling (as torchvision's
RandomAffine with interpolation=BILINEAR); brightness and contrast are as in its ColorJitter.
"""

import math

import torch

from models.recipe import Recipe
from trainer.fused.sampling import sample


def draw_images(pixels: torch.Tensor, index: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """The images of `index` (B,) out of `pixels` (N, 28, 28) uint8, as (B, 1, 28, 28) of 0..1, changed at random.

    Every change lies within the recipe's ranges; where these are all zero the images are as they were.
    """
    if recipe.rotation_degrees or recipe.translation_share or recipe.scale_share:
        theta = _draw_theta(len(index), recipe, generator)
        images = sample(pixels, index, theta, recipe.fill, 1 / 255, 0.0)
    else:
        images = pixels[index].unsqueeze(1).float().div_(255)
    return _jitter(images, recipe, generator)


def _draw_theta(n: int, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """Maps (n, 2, 3) from output to input positions, in the units of affine_grid (half a side is 1)."""
    angle = _uniform(n, recipe.rotation_degrees, generator) * (math.pi / 180)
    zoom = 1 + _uniform(n, recipe.scale_share, generator)
    # The move is undone first: it is along the image's own sides and by as much as drawn, whatever the turn and zoom.
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    dx = 2 * _uniform(n, recipe.translation_share, generator)
    dy = 2 * _uniform(n, recipe.translation_share, generator)
    return torch.stack([cos, -sin, sin * dy - cos * dx, sin, cos, -sin * dx - cos * dy], dim=1).view(n, 2, 3)


def _jitter(images: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    if recipe.brightness:
        images = (images * _factors(images, recipe.brightness, generator)).clamp(0, 1)
    if recipe.contrast:
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = ((images - mean) * _factors(images, recipe.contrast, generator) + mean).clamp(0, 1)
    return images


def _uniform(n: int, half_range: float, generator: torch.Generator) -> torch.Tensor:
    return (torch.rand(n, generator=generator, device=generator.device) * 2 - 1) * half_range


def _factors(images: torch.Tensor, half_range: float, generator: torch.Generator) -> torch.Tensor:
    return 1 + _uniform(len(images), half_range, generator).view(-1, 1, 1, 1)
