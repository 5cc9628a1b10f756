"""Data sets for tests: small files in the format of MNIST, and images that can be told apart."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from trainer.data.images import Images
from trainer.data.layouts import IDX_DATASETS

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
FOUR_FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
N_TRAIN, N_TEST = 12, 5


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of uint8 as an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def some_images(n: int, side: int = 28) -> np.ndarray:
    """Noise, other noise for another n."""
    return np.random.default_rng(n).integers(0, 256, (n, side, side), dtype=np.uint8)


def flat_images(n: int, value: int) -> np.ndarray:
    """Images without contrast."""
    return np.full((n, 28, 28), value, np.uint8)


def some_labels(n: int) -> np.ndarray:
    return (np.arange(n) * 3 % 10).astype(np.uint8)


def write_dataset(folder: Path, name: str = "mnist", zipped: bool = False) -> Path:
    """Four small files in torchvision's layout; returns the folder they lie in."""
    raw = folder / IDX_DATASETS[name] / "raw"
    write_files(raw, zipped=zipped)
    return raw


def write_files(place: Path, call: Callable[[str], str] = str, zipped: bool = False) -> None:
    """The four files right in a folder, each called as `call` makes it of its usual name."""
    place.mkdir(parents=True)
    for file, array in zip(FOUR_FILES, _arrays(), strict=True):
        path = place / call(f"{file}.gz" if zipped else file)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))


def _arrays() -> list[np.ndarray]:
    return [array for n in (N_TRAIN, N_TEST) for array in (some_images(n), some_labels(n))]


def numbered(first: int, n: int) -> Images:
    """Images that can be told apart by their number: its digits to the base 256 are the first two pixels."""
    numbers = torch.arange(first, first + n)
    pixels = torch.zeros(n, 28, 28, dtype=torch.uint8)
    pixels[:, 0, 0], pixels[:, 0, 1] = numbers // 256, numbers % 256
    return Images(pixels, numbers % 10)
