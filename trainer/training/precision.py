"""The number format of the forward pass: as asked for, or the fastest of those measured here.

Weights, their updates and batch statistics are float32 in every format.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.schedules import Constant
from trainer.data.noise import noise_data
from trainer.fused.kernels import load_kernels
from trainer.hardware.device import prepare_device
from trainer.hardware.kept import keep, read_kept
from trainer.hardware.machine import cpu_fingerprint
from trainer.training.train import Training

PRECISIONS = ("auto", "float32", "bfloat16")

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_MIN_GAIN = 1.05  # below it float32 is taken, which is more accurate and repeats itself bit for bit
_MEASURING_SECONDS = 0.6
_IMAGES_A_ROUND = 256

Measure = Callable[[Candidate, str, list[str]], dict[str, float]]


@dataclass(frozen=True)
class Precision:
    """The number format of a training, and why it is that one. As text: `bfloat16 (asked for)`."""

    dtype: torch.dtype
    why: str
    step_seconds: Mapping[str, float] = field(default_factory=dict)
    """Of a training step in each format; empty where there was nothing to measure."""

    @property
    def name(self) -> str:
        """The format's name, one of `PRECISIONS`."""
        return str(self.dtype).removeprefix("torch.")

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


FLOAT32 = Precision(torch.float32, "asked for")


def check_precision(name: str) -> None:
    """Raises MnistSearchError for a name that is not one of `PRECISIONS`."""
    if name not in PRECISIONS:
        raise MnistSearchError(f"unknown precision {name!r}: use {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}")


def choose_precision(
    name: str, device: str, candidate: Candidate, n_threads: int = 1, measure: Measure | None = None
) -> Precision:
    """The number format for a name of `PRECISIONS`, on a device, for networks and batches such as the candidate's.

    `auto` times training steps in every format that is valid there, for about a second, and takes the fastest; what
    was measured is kept in the user's cache folder. Seeds torch's global generator, as a training does. Raises
    MnistSearchError for an unknown name.
    """
    check_precision(name)
    if name != "auto":
        return Precision(_DTYPES[name], "asked for")
    names = valid_formats(device)
    if len(names) == 1:
        return Precision(_DTYPES[names[0]], f"the one format used on {device}")
    alike = steady(candidate)
    name = f"precision-{_key(alike, device, n_threads)}"
    seconds = _seconds_of(read_kept(name), names)
    if seconds is None:
        with _threads(n_threads):
            seconds = (measure or measure_steps)(alike, device, names)
        keep(name, seconds)
    return fastest(seconds)


def valid_formats(device: str) -> list[str]:
    """The formats worth measuring on a device. float16 is none: its gradients would need a scaled loss.

    On a GPU float32 alone, until the accuracy of bfloat16 there is shown to be the same (`benchmarks/gpu`).
    """
    return ["float32", "bfloat16"] if device == "cpu" else ["float32"]


def fastest(step_seconds: Mapping[str, float]) -> Precision:
    """The fastest format, if it is at least 5 % faster than float32; float32 otherwise."""
    best = min(step_seconds, key=lambda name: step_seconds[name])
    if step_seconds[best] * _MIN_GAIN > step_seconds["float32"]:
        best = "float32"
    shown = {name: f"{1e3 * seconds:,.1f}" for name, seconds in step_seconds.items()}
    others = "".join(f", {name} {text}" for name, text in shown.items() if name != best)
    why = f"{shown[best]} ms a step{others}, measured"
    return Precision(_DTYPES[best], why, dict(step_seconds))


def measure_steps(candidate: Candidate, device: str, names: list[str]) -> dict[str, float]:
    """Median seconds of a training step in each format, by rounds in which every format has its turn.

    On one thread of a CPU it is the processor's time that counts, which other processes hardly disturb.
    """
    prepare_device(device)
    batch_size = max(2, candidate.recipe.batch_size)  # a training takes a batch size of 1 for 2
    n_steps = max(1, min(8, _IMAGES_A_ROUND // batch_size))
    data = noise_data(n_steps * batch_size)
    trainings = {name: Training(candidate, data, 0, device, _DTYPES[name]) for name in names}
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    taken: dict[str, list[float]] = {name: [] for name in names}
    for training in trainings.values():
        training.train_epoch()  # the first pass allocates, and loads the GPU's kernels
    deadline = time.perf_counter() + _MEASURING_SECONDS
    while not taken[names[0]] or time.perf_counter() < deadline:
        for name, training in trainings.items():
            start = clock()
            training.train_epoch()
            taken[name].append((clock() - start) / n_steps)
    return {name: median(seconds) for name, seconds in taken.items()}


def steady(candidate: Candidate) -> Candidate:
    """The candidate with whatever does not change the time of a step set to one value, so that it is measured once."""
    return replace(candidate, recipe=replace(candidate.recipe, epochs=1, lr=1e-3, schedule=Constant()))


def _key(candidate: Candidate, device: str, n_threads: int) -> str:
    """Changes with whatever a step's time depends on: device, torch, kernels, network, batch size, threads."""
    kernels = load_kernels()
    parts = (
        torch.cuda.get_device_name(device) if device.startswith("cuda") else cpu_fingerprint(),
        torch.__version__,
        "" if kernels is None else Path(kernels._name).name,  # holds the hash of sources, compiler and flags
        candidate.id,
        str(n_threads),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _seconds_of(kept: Any, names: list[str]) -> dict[str, float] | None:
    """What was kept, if it is the seconds of these formats."""
    try:
        seconds = {name: float(kept[name]) for name in names}
    except (ValueError, TypeError, LookupError):
        return None
    return seconds if all(0 < value < float("inf") for value in seconds.values()) else None


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
