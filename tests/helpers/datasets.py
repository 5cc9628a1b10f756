"""Data sets for tests: small files in the format of MNIST, and images that can be told apart."""

import gzip
import struct
from pathlib import Path

import numpy as np
import torch

from trainer.data.images import IDX_DATASETS, Images

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
N_TRAIN, N_TEST = 12, 5


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of uint8 as an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def some_images(n: int, side: int = 28) -> np.ndarray:
    """Noise, other noise for another n."""
    return np.random.default_rng(n).integers(0, 256, (n, side, side), dtype=np.uint8)


def some_labels(n: int) -> np.ndarray:
    return (np.arange(n) * 3 % 10).astype(np.uint8)


def write_dataset(folder: Path, name: str = "mnist", zipped: bool = False) -> Path:
    """Four small files in torchvision's layout; returns the folder they lie in."""
    raw = folder / IDX_DATASETS[name] / "raw"
    raw.mkdir(parents=True)
    arrays = {
        TRAIN_IMAGES: some_images(N_TRAIN),
        TRAIN_LABELS: some_labels(N_TRAIN),
        TEST_IMAGES: some_images(N_TEST),
        TEST_LABELS: some_labels(N_TEST),
    }
    for file, array in arrays.items():
        if zipped:
            (raw / f"{file}.gz").write_bytes(gzip.compress(idx_bytes(array)))
        else:
            (raw / file).write_bytes(idx_bytes(array))
    return raw


def numbered(first: int, n: int) -> Images:
    """Images that can be told apart by their number: its digits to the base 256 are the first two pixels."""
    numbers = torch.arange(first, first + n)
    pixels = torch.zeros(n, 28, 28, dtype=torch.uint8)
    pixels[:, 0, 0], pixels[:, 0, 1] = numbers // 256, numbers % 256
    return Images(pixels, numbers % 10)
