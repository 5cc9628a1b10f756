"""A model file, whatever its form, as one thing that classifies images; and what the bundle around it says of it."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import MnistSearchError, WorkFailedError
from models.nearest import did_you_mean_file
from models.spec.parsers import parse_json
from models.spec.reading import read_text
from trainer.data.names import class_names
from trainer.inference.loaders import LOADERS, Run

_IN_A_BUNDLE = "model.pt2"
_MANIFEST = "manifest.json"
_DEFAULT_DATASET = "mnist"
_BATCH = 1000
_BESIDE = {".safetensors": ("arch.json",), ".c": ("model.h",)}


@dataclass(frozen=True)
class Answer:
    """What a network says to one image."""

    name: str
    """Of the class."""
    confidence: float
    """Its share of the softmax, of 1; nothing calibrated it."""
    runner_up: str
    runner_up_confidence: float


@dataclass(frozen=True)
class Model:
    """An opened model file. `dataset` is what it was trained on, as far as is known."""

    path: Path
    dataset: str
    classes: tuple[str, ...]
    _run: Run

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Of images (N, 28, 28) uint8, light on black: (N, 10) float32.

        Raises MnistSearchError if the file is no model of such images, or cannot be run.
        """
        parts = [self._batch(images[at : at + _BATCH]) for at in range(0, len(images), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, 10), np.float32)

    def answers(self, images: np.ndarray) -> list[Answer]:
        """What it says to each of images (N, 28, 28) uint8; as `logits` raises."""
        logits = self.logits(images).astype(np.float64)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        order = np.argsort(-shares, axis=1, kind="stable")  # at a tie the lowest class, as everywhere
        return [
            Answer(self.classes[first], float(share[first]), self.classes[second], float(share[second]))
            for share, (first, second, *_) in zip(shares, order, strict=True)
        ]

    def _batch(self, images: np.ndarray) -> np.ndarray:
        with _said_of(self.path):
            logits = self._run(images)
        if logits.shape != (len(images), 10) or not np.isfinite(logits).all():
            raise MnistSearchError(f"{self.path} is no model of ours: it does not give ten numbers for an image")
        return logits


def open_model(path: Path) -> Model:
    """A bundle's `model.pt2`, or any one model file.

    Raises MnistSearchError if there is no such file, it is of no known kind, damaged, or needs what is not installed.
    """
    file = path / _IN_A_BUNDLE if path.is_dir() else path
    if not file.is_file():
        raise MnistSearchError(_not_there(path, file))
    loader = LOADERS.get(file.suffix)
    if loader is None:
        raise MnistSearchError(f"{file} is no model file: name a bundle, or a file ending in {', '.join(LOADERS)}")
    told = _manifest(file.with_name(_MANIFEST))
    _refuse_changed(file, told)  # before a damaged file is run
    with _said_of(file):
        run = loader(file)
    dataset = str(told.get("dataset", _DEFAULT_DATASET))
    return Model(file, dataset, tuple(map(str, told.get("classes", class_names(dataset)))), run)


def _refuse_changed(file: Path, told: dict[str, Any]) -> None:
    """Raises MnistSearchError if a file, or what it is read with, is not as its bundle's manifest says."""
    files = told.get("files")
    for name in (file.name, *_BESIDE.get(file.suffix, ())):
        wanted = files.get(name) if isinstance(files, dict) else None
        path = file.with_name(name)
        if wanted is not None and path.is_file() and not _is_as_told(path, wanted):
            raise MnistSearchError(f"{path} is damaged: its checksum is not that of {_MANIFEST} beside it")


def _is_as_told(path: Path, wanted: object) -> bool:
    checksum = wanted.get("sha256") if isinstance(wanted, dict) else None
    return hashlib.sha256(path.read_bytes()).hexdigest() == checksum


def _not_there(path: Path, file: Path) -> str:
    if path.is_dir():
        return f"{path} is no bundle: it has no {_IN_A_BUNDLE}; `mnist-search export` makes one"
    return f"there is no {file}: {did_you_mean_file(path) or '`mnist-search export` makes a bundle to name here'}"


def _manifest(path: Path) -> dict[str, Any]:
    """What is told beside a file; nothing where it lies alone, or beside something else of that name."""
    try:
        told = parse_json(read_text(path, "a bundle"))
    except MnistSearchError:
        return {}
    is_ours = isinstance(told, dict) and isinstance(told.get("classes"), list) and len(told["classes"]) == 10
    return told if is_ours else {}  # type: ignore[return-value]


@contextlib.contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """Whatever a runtime raises over a file, in one line that names it."""
    try:
        yield
    except MnistSearchError:
        raise
    except WorkFailedError as error:  # which names the file
        raise MnistSearchError(str(error)) from None
    except Exception as error:
        raise MnistSearchError(f"{path} is damaged, or no model of ours ({_short(error)})") from None


def _short(error: Exception) -> str:
    line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {line[:120]}" if line else type(error).__name__
