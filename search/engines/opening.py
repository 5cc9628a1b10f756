"""Opens an engine by its name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from models.errors import MnistSearchError
from search.engines.local import LocalEngine
from search.engines.protocol import Engine
from trainer.data.images import TrainingData

ENGINES: dict[str, Callable[[TrainingData, list[str], torch.dtype, int | None], Engine]] = {"local": LocalEngine}


@contextmanager
def open_engine(
    data: TrainingData, devices: list[str], dtype: torch.dtype, slots: int | None = None, name: str = "local"
) -> Iterator[Engine]:
    """An engine that trains on this data, a worker on each of `devices`; it is closed at the end, come what may.

    Each worker trains `slots` candidates at once; None leaves the number to it.

    Raises MnistSearchError for an unknown name.
    """
    if name not in ENGINES:
        raise MnistSearchError(f"unknown engine {name!r}: use {' or '.join(ENGINES)}")
    engine = ENGINES[name](data, devices, dtype, slots)
    try:
        yield engine
    finally:
        engine.close()
