"""Images of noise in MNIST's shape: how fast a training is does not depend on what it sees."""

import torch

from trainer.data.images import Images, TrainingData


def noise_images(n: int) -> Images:
    """n images of even noise with labels at random, always the same."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (n, 28, 28), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.randint(10, (n,), generator=generator))


def noise_data(n: int) -> TrainingData:
    """n of them to learn from, and one to be judged by."""
    images = noise_images(n)
    return TrainingData(images, Images(images.pixels[:1], images.labels[:1]), mean=0.5, std=0.3)
