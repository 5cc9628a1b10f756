"""What a training sees: images and labels as uint8, from IDX files."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from models.errors import MnistSearchError
from trainer.data.idx import read_idx
from trainer.data.layouts import FILES, IdxFiles, find_idx_files, torchvision_folder

_SIDE = 28
_MAX_SHARE_BLACK = 0.01
"""Of images without a pixel above 0: the known data sets have none, and a download that broke off leaves zeros."""


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
        """Training data whose statistics come from its training images alone.

        Raises MnistSearchError if all pixels of these are equal: nothing can be learned from them.
        """
        values, counts = np.unique(train.pixels.numpy(), return_counts=True)
        if len(values) == 1:
            raise MnistSearchError(f"the {len(train):,} training images have no contrast: every pixel is {values[0]}")
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
    """Reads `folder/MNIST/raw/...` (or FashionMNIST, KMNIST), or from where else `find_idx_files` finds the files.

    Raises MnistSearchError for a file that is missing or damaged, naming it.
    """
    files = find_idx_files(name, folder)
    if not files.found:
        raise MnistSearchError(f"{torchvision_folder(name, folder) / files.missing[0]} is missing")
    if files.missing:
        raise MnistSearchError(files.text)
    return Dataset(name, _read_part(files, "train"), _read_part(files, "test"))


def has_idx_dataset(name: str, folder: Path) -> bool:
    """Whether all four files are there, whatever is in them."""
    return not find_idx_files(name, folder).missing


def _read_part(files: IdxFiles, part: str) -> Images:
    image_path, label_path = (files.found[file] for file in FILES[part])
    pixels, labels = read_idx(image_path), read_idx(label_path)
    if pixels.ndim != 3 or pixels.shape[1:] != (_SIDE, _SIDE):
        raise MnistSearchError(f"{image_path} holds {'x'.join(map(str, pixels.shape))} values, not N images of 28x28")
    n_black = len(pixels) - np.count_nonzero(pixels.any(axis=(1, 2)))
    if n_black > _MAX_SHARE_BLACK * len(pixels):
        raise MnistSearchError(
            f"{image_path} is damaged: {n_black:,} of {len(pixels):,} images are black; fetch it again"
        )
    if labels.shape != pixels.shape[:1]:
        raise MnistSearchError(f"{label_path} holds {labels.size:,} labels for {len(pixels):,} images")
    if labels.size == 0:
        raise MnistSearchError(f"{label_path} holds no labels")
    if labels.max() > 9:
        raise MnistSearchError(f"{label_path} holds a label of {labels.max()}: labels are 0 to 9")
    if pixels.min() == pixels.max():
        raise MnistSearchError(
            f"{image_path} holds images without contrast: every pixel is {pixels.min()}; fetch it again"
        )
    return Images(torch.from_numpy(pixels.copy()), torch.from_numpy(labels.astype(np.int64)))
