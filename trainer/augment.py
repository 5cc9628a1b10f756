"""Random changes of training images, a batch at a time on the device.

Every image gets its own draw. Rotation, scale and translation are one bilinear resampling (as torchvision's
RandomAffine with interpolation=BILINEAR); brightness and contrast are as in its ColorJitter.
"""

import math

import torch
from torch.nn.functional import affine_grid, grid_sample

from models.recipe import Recipe


def augment(images: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    """Images (B, 1, H, W) of 0..1, changed within the recipe's ranges; the same images when all ranges are zero."""
    if recipe.rotation_degrees or recipe.translation_share or recipe.scale_share:
        images = _move(images, recipe, generator)
    if recipe.brightness:
        images = (images * _factors(images, recipe.brightness, generator)).clamp(0, 1)
    if recipe.contrast:
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = ((images - mean) * _factors(images, recipe.contrast, generator) + mean).clamp(0, 1)
    return images


def _move(images: torch.Tensor, recipe: Recipe, generator: torch.Generator) -> torch.Tensor:
    B = len(images)
    angle = _uniform(B, recipe.rotation_degrees, images, generator) * (math.pi / 180)
    zoom = 1 + _uniform(B, recipe.scale_share, images, generator)
    # The map from output to input positions, in the units of affine_grid (half the side is 1): the move is undone
    # first, so that it is along the image's own sides and by as much as it says, whatever the turn and the zoom.
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    dx = 2 * _uniform(B, recipe.translation_share, images, generator)
    dy = 2 * _uniform(B, recipe.translation_share, images, generator)
    rows = [cos, -sin, sin * dy - cos * dx, sin, cos, -sin * dx - cos * dy]
    theta = torch.stack(rows, dim=1).view(B, 2, 3)
    grid = affine_grid(theta, list(images.shape), align_corners=False)  # (B, H, W, 2)
    # grid_sample brings in zeros from outside, so what should come in is made the zero for the moment.
    fill = recipe.fill / 255
    return grid_sample(images - fill, grid, align_corners=False) + fill


def _uniform(n: int, half_range: float, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return (torch.rand(n, generator=generator, device=like.device) * 2 - 1) * half_range


def _factors(images: torch.Tensor, half_range: float, generator: torch.Generator) -> torch.Tensor:
    return 1 + _uniform(len(images), half_range, images, generator).view(-1, 1, 1, 1)
