"""Model files by their kind, each opened as a function from images to logits."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from models.errors import MnistSearchError

Run = Callable[[np.ndarray], np.ndarray]
"""Images (N, 28, 28) uint8, light on black, to logits (N, 10) float32."""


def open_pt2(path: Path) -> Run:
    """A program of torch.export, such as `model.pt2`."""
    import torch

    from trainer.formats.pt2_reading import read_pt2

    # torch 2.11 warns of its own reading.
    with _silenced("torch.export"), warnings.catch_warnings(action="ignore", category=UserWarning):
        network = read_pt2(path)

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            # As floats: files of other makers take nothing else.
            logits: np.ndarray = network(torch.from_numpy(_floats(images))).numpy()
        return logits

    return run


@contextlib.contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Without a logger's warnings: torch logs the traceback of what it then raises, and we tell that in a line."""
    logger = logging.getLogger(name)
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def open_onnx(path: Path) -> Run:
    """An ONNX file of either kind of numbers. Raises MnistSearchError where onnxruntime is not installed."""
    try:
        import onnxruntime
    except ImportError:
        raise MnistSearchError(f"{path} needs onnxruntime to be run: pip install -e '.[onnx]'") from None
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()

    def run(images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = session.run(None, {given.name: _floats(images)})[0]
        return logits

    return run


def open_tensors(path: Path) -> Run:
    """`weights.safetensors`, which has its `arch.json` beside it."""
    import torch

    from trainer.formats.tensors import read_tensors

    network = read_tensors(path).module()

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            logits: np.ndarray = network(torch.from_numpy(images[:, None])).numpy()
        return logits

    return run


def open_c(path: Path) -> Run:
    """`model.c`, compiled for each batch, in float32. Raises MnistSearchError where no compiler is."""
    from trainer.c99.program import compiled

    def run(images: np.ndarray) -> np.ndarray:
        with compiled(path) as program:
            return program.logits("f32", images)

    return run


def _floats(images: np.ndarray) -> np.ndarray:
    """(N, 1, 28, 28) float32 of 0..1."""
    return images[:, None] / np.float32(255)


LOADERS: dict[str, Callable[[Path], Run]] = {
    ".pt2": open_pt2,
    ".onnx": open_onnx,
    ".safetensors": open_tensors,
    ".c": open_c,
}
"""By the suffix of a file's name."""
