"""`test_vectors.npz`: images with the answers that are right for a network, to try a port or a damaged file on."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.errors import MnistSearchError
from trainer.alone.clean import FileRun
from trainer.bundle.forms import FLOAT32, Form
from trainer.data.images import Images

VECTORS_FILE = "test_vectors.npz"
_OF_EACH_CLASS = 2
_INT8 = "int8 logits of "


@dataclass(frozen=True, eq=False)
class Vectors:
    """Test images, two of each class where there are so many, class by class."""

    images: np.ndarray
    """(N, 28, 28) uint8."""
    labels: np.ndarray
    """(N,) uint8: what they show."""
    logits: np.ndarray
    """(N, 10) float32: what the trained network says, and every float file."""
    int8_logits: dict[str, np.ndarray]
    """By file, (N, 10) float32: what it says in int8."""

    def write(self, folder: Path) -> None:
        """Writes `test_vectors.npz`."""
        of_int8 = {f"{_INT8}{file}": logits for file, logits in self.int8_logits.items()}
        arrays = {"images": self.images, "labels": self.labels, "logits": self.logits, **of_int8}
        np.savez_compressed(folder / VECTORS_FILE, **arrays)  # type: ignore[arg-type]

    def wanted(self, form: Form) -> np.ndarray | None:
        """The logits (N, 10) that a form must give; None if nobody noted them."""
        return self.logits if form.numbers == FLOAT32 else self.int8_logits.get(form.file)


def chosen_images(labels: torch.Tensor) -> np.ndarray:
    """The numbers of the first images of each class."""
    return np.concatenate([np.flatnonzero(labels.numpy() == c)[:_OF_EACH_CLASS] for c in range(10)])


def vectors_of(test: Images, logits: np.ndarray, runs: Mapping[Form, FileRun]) -> Vectors:
    """Those of a network with these logits, a row for each test image, and of forms run on the test images."""
    chosen = chosen_images(test.labels)
    images = test.select(chosen)
    of_int8 = {form.file: run.logits[chosen] for form, run in runs.items() if form.numbers != FLOAT32}
    return Vectors(images.pixels.numpy(), images.labels.numpy().astype(np.uint8), logits[chosen], of_int8)


def read_vectors(folder: Path) -> Vectors:
    """Those of a bundle. Raises MnistSearchError if the file is missing or damaged."""
    path = folder / VECTORS_FILE
    try:
        with np.load(path, allow_pickle=False) as kept:
            of_int8 = {name.removeprefix(_INT8): kept[name] for name in kept.files if name.startswith(_INT8)}
            vectors = Vectors(kept["images"], kept["labels"], kept["logits"], of_int8)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise MnistSearchError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    n = len(vectors.images)
    shapes = {(n, 28, 28): vectors.images, (n,): vectors.labels, (n, 10): vectors.logits}
    if vectors.images.dtype != np.uint8 or any(array.shape != shape for shape, array in shapes.items()):
        raise MnistSearchError(f"{path} cannot be read: it does not hold images with labels and logits")
    return vectors
