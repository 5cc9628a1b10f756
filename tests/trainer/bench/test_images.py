"""The images of a bench."""

from pathlib import Path

import torch
from torchvision import datasets

from trainer.bench.images import EPOCH_IMAGES, load_images, write_for_torchvision
from trainer.data.images import Images


def test_torchvision_reads_the_same_images(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (7, 28, 28), dtype=torch.uint8, generator=generator)
    images = Images(pixels, torch.arange(7))
    write_for_torchvision(images, tmp_path)
    read = datasets.MNIST(str(tmp_path), train=True, download=False)
    assert torch.equal(read.data, images.pixels)
    assert torch.equal(read.targets, images.labels)


def test_without_mnist_there_is_noise_and_it_is_said(tmp_path: Path) -> None:
    images = load_images(tmp_path)
    assert len(images.data.train) == EPOCH_IMAGES
    assert images.notice == f"noise in MNIST's shape, which trains as fast: mnist is not in {tmp_path}"
