"""Opens an engine by its name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from models.errors import MnistSearchError
from search.engines.local import LocalEngine
from search.engines.protocol import Engine
from trainer.data.images import TrainingData


def _ray_engine(*what: Any, **how: Any) -> Engine:
    from search.engines.ray_engine import RayEngine  # Ray is there for those who ask for it

    return RayEngine(*what, **how)


ENGINES: dict[str, Callable[..., Engine]] = {"local": LocalEngine, "ray": _ray_engine}
"""Each is called with the data, the device of each worker, the number format and the slots of a worker (or None)."""


@contextmanager
def open_engine(
    data: TrainingData,
    devices: list[str],
    dtype: torch.dtype,
    slots: int | None = None,
    name: str = "local",
    **how: Any,
) -> Iterator[Engine]:
    """An engine that trains on this data, a worker on each of `devices`; it is closed at the end, come what may.

    Each worker trains `slots` candidates at once; None leaves the number to it. `how` is what else its engine is told.

    Raises MnistSearchError for an unknown name.
    """
    if name not in ENGINES:
        raise MnistSearchError(f"unknown engine {name!r}: use {' or '.join(ENGINES)}")
    engine = ENGINES[name](data, devices, dtype, slots, **how)
    try:
        yield engine
    finally:
        engine.close()
