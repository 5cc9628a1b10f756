"""A whole bench, from what was asked for to the facts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models.errors import MnistSearchError
from trainer.bench.facts import bench_facts
from trainer.bench.images import load_images
from trainer.bench.measure import bench_device
from trainer.bench.ways import BATCH_SIZE
from trainer.hardware.device import resolve_device
from trainer.training.precision import check_precision

DEFAULT_ROUNDS = 7


@dataclass(frozen=True)
class BenchRequest:
    """What a bench was asked for. Raises MnistSearchError for what is impossible."""

    device: str = "auto"
    """`auto` is each that is here."""
    precision: str = "auto"
    rounds: int = DEFAULT_ROUNDS
    images: int | None = None
    """Of a round of each way; None takes what fits into some seconds."""
    data_dir: Path | None = None

    def __post_init__(self) -> None:
        check_precision(self.precision)
        if self.rounds < 1:
            raise MnistSearchError(f"--rounds {self.rounds}: measure at least 1 round")
        if self.images is not None and self.images < 2 * BATCH_SIZE:
            raise MnistSearchError(f"--images {self.images}: a round has at least two batches, {2 * BATCH_SIZE} images")


def run_bench(request: BenchRequest, say: Callable[[str], None]) -> dict[str, Any]:
    """Measures, telling `say` how far it is, and returns the facts.

    Raises MnistSearchError for a device that is not here, and WorkFailedError if a way of training breaks.
    """
    start = time.perf_counter()
    devices = _devices_here() if request.device == "auto" else [resolve_device(request.device)]
    images = load_images(request.data_dir)
    say(f"data: {images.notice}")
    benches = [
        bench_device(device, images, request.precision, request.rounds, request.images, say) for device in devices
    ]
    return bench_facts(benches, images.notice, time.perf_counter() - start)


def _devices_here() -> list[str]:
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [device for device, is_here in here.items() if is_here]
