"""The images a bench trains on, and the folder in torchvision's layout from which the sources' loop reads them."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.data.images import Images, TrainingData, has_idx_dataset, load_idx_dataset
from trainer.data.layouts import FILES, torchvision_folder
from trainer.data.noise import noise_images

EPOCH_IMAGES = 60_000
"""An epoch of MNIST's training images."""


@dataclass(frozen=True)
class BenchImages:
    """The images, with a line on where they come from."""

    data: TrainingData
    notice: str


def load_images(folder: Path | None) -> BenchImages:
    """MNIST where the folder has it, else as many images of noise: how fast a training is does not depend on it."""
    if folder is not None and has_idx_dataset("mnist", folder):
        dataset = load_idx_dataset("mnist", folder)
        return BenchImages(_few_to_judge(dataset.train), f"mnist in {folder}")
    where = f"mnist is not in {folder}" if folder is not None else "no folder with mnist was named"
    return BenchImages(
        _few_to_judge(noise_images(EPOCH_IMAGES)), f"noise in MNIST's shape, which trains as fast: {where}"
    )


def _few_to_judge(train: Images) -> TrainingData:
    """Nothing is evaluated in a bench, but a training wants some images to do it with."""
    return TrainingData.of(train, Images(train.pixels[:1], train.labels[:1]))


def write_for_torchvision(images: Images, folder: Path) -> None:
    """Writes images as the four IDX files of MNIST; those of the test part are the first few."""
    raw = torchvision_folder("mnist", folder)
    raw.mkdir(parents=True)
    for part, n in (("train", len(images)), ("test", 1)):
        image_file, label_file = FILES[part]
        _write_idx(raw / image_file, images.pixels[:n].numpy())
        _write_idx(raw / label_file, images.labels[:n].numpy().astype(np.uint8))


def _write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.tobytes())
