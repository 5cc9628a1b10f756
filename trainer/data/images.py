"""What a training sees: images and labels as uint8, from a folder in torchvision's layout."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from models.errors import MnistSearchError
from trainer.data.idx import read_idx

IDX_DATASETS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}
"""Datasets kept as IDX files, with the folder each has in torchvision's layout."""

_SIDE = 28
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True)
class Images:
    """Labelled images: `pixels` (N, 28, 28) uint8 and `labels` (N,) int64 of 0..9, on one device."""

    pixels: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Images":
        """The same images on another device."""
        return Images(self.pixels.to(device), self.labels.to(device))

    def select(self, index: np.ndarray) -> "Images":
        """The images of these numbers, in this order."""
        chosen = torch.from_numpy(index)
        return Images(self.pixels[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Dataset:
    """A dataset with the split its authors made."""

    name: str
    train: Images
    test: Images


@dataclass(frozen=True)
class TrainingData:
    """What one training uses: images to learn from, images to judge by, and the pixel statistics of the first."""

    train: Images
    evaluation: Images
    mean: float
    """Mean of the training pixels, as fractions of 255."""
    std: float
    """Standard deviation of the training pixels, as fractions of 255."""

    @classmethod
    def of(cls, train: Images, evaluation: Images) -> "TrainingData":
        """Training data whose statistics come from its training images alone."""
        values, counts = np.unique(train.pixels.numpy(), return_counts=True)
        share = counts / counts.sum()
        mean = float((values / 255 * share).sum())
        std = float((((values / 255 - mean) ** 2) * share).sum() ** 0.5)
        return cls(train, evaluation, mean, std)

    def to(self, device: torch.device | str) -> "TrainingData":
        """The same data on another device."""
        return TrainingData(self.train.to(device), self.evaluation.to(device), self.mean, self.std)

    def to_arrays(self) -> "Arrays":
        """The same data as plain arrays of numpy, which other processes can map instead of copying."""
        parts = (self.train.pixels, self.train.labels, self.evaluation.pixels, self.evaluation.labels)
        pixels, labels, eval_pixels, eval_labels = (part.cpu().numpy() for part in parts)
        return Arrays(pixels, labels, eval_pixels, eval_labels, self.mean, self.std)

    @classmethod
    def of_arrays(cls, arrays: "Arrays") -> "TrainingData":
        """What `to_arrays` was called of, in the same memory: nothing may be written to it."""
        *parts, mean, std = arrays
        with warnings.catch_warnings():  # that it may not be
            warnings.simplefilter("ignore", UserWarning)
            pixels, labels, eval_pixels, eval_labels = map(torch.from_numpy, parts)
        return cls(Images(pixels, labels), Images(eval_pixels, eval_labels), mean, std)

    def share_memory(self) -> "TrainingData":
        """Return the same data in memory that worker processes map instead of copying.

        Where shared memory has no room, as in a container with its default of 64 MB, each process gets a copy.
        """
        try:
            for images in (self.train, self.evaluation):
                images.pixels.share_memory_()
                images.labels.share_memory_()
        except RuntimeError:
            return _CopiedData(self.train, self.evaluation, self.mean, self.std)
        return self


class _CopiedData(TrainingData):
    """Training data that reaches another process as bytes: torch would put its tensors into shared memory."""

    def __reduce__(self) -> tuple[Callable[["Arrays"], TrainingData], tuple["Arrays"]]:
        return TrainingData.of_arrays, (self.to_arrays(),)


class Arrays(NamedTuple):
    """Training data without a tensor."""

    pixels: np.ndarray
    labels: np.ndarray
    eval_pixels: np.ndarray
    eval_labels: np.ndarray
    mean: float
    std: float


def load_idx_dataset(name: str, folder: Path) -> Dataset:
    """Reads `folder/MNIST/raw/...` (or FashionMNIST, KMNIST), gzipped or not.

    Raises MnistSearchError for a file that is missing or damaged, naming it.
    """
    raw = folder / IDX_DATASETS[name] / "raw"
    return Dataset(name, _read_part(raw, "train"), _read_part(raw, "test"))


def has_idx_dataset(name: str, folder: Path) -> bool:
    """Whether all four files are there, whatever is in them."""
    raw = folder / IDX_DATASETS[name] / "raw"
    return all(_find(raw, file) is not None for files in FILES.values() for file in files)


def _find(raw: Path, file: str) -> Path | None:
    # Path.exists raises where a folder may not be entered or a name is too long, until Python 3.14; this says no.
    return next((path for path in (raw / file, raw / f"{file}.gz") if os.path.exists(path)), None)


def _read_part(raw: Path, part: str) -> Images:
    image_path, label_path = (_find(raw, file) for file in FILES[part])
    if image_path is None or label_path is None:
        missing = next(file for file in FILES[part] if _find(raw, file) is None)
        raise MnistSearchError(f"{raw / missing} is missing")
    pixels, labels = read_idx(image_path), read_idx(label_path)
    if pixels.ndim != 3 or pixels.shape[1:] != (_SIDE, _SIDE):
        raise MnistSearchError(f"{image_path} holds {'x'.join(map(str, pixels.shape))} values, not N images of 28x28")
    if labels.shape != pixels.shape[:1]:
        raise MnistSearchError(f"{label_path} holds {labels.size:,} labels for {len(pixels):,} images")
    if labels.size == 0:
        raise MnistSearchError(f"{label_path} holds no labels")
    if labels.max() > 9:
        raise MnistSearchError(f"{label_path} holds a label of {labels.max()}: labels are 0 to 9")
    return Images(torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype(np.int64)))
