"""How many trainings a worker does at once: as many as its device gains from, and has memory for."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch

from models.candidate import Candidate
from trainer.data.noise import noise_data
from trainer.hardware.kept import keep, read_kept
from trainer.training.precision import steady
from trainer.training.side_by_side import images_per_second
from trainer.training.train import Training

MAX_SLOTS = 32
"""torch has that many streams on a GPU; slots beyond would share them."""
MIN_GAIN = 1.05
"""Twice the slots are worth it if they do this many times the images a second."""
_MEMORY_SHARE = 0.8
"""Of the free memory, the most that slots may take: candidates differ in size."""
_BATCHES = 48

Rates = dict[int, float]


@dataclass(frozen=True)
class SlotCount:
    """How many slots, and why so many. As text: `16 (images/s with 1: 90,000, 2: 170,000, ..., measured)`."""

    n: int
    why: str

    def __str__(self) -> str:
        return f"{self.n} ({self.why})"


ONE = SlotCount(1, "one training at a time fills a core")


def choose_slots(candidate: Candidate, device: str, dtype: torch.dtype, measure: "Measure | None" = None) -> SlotCount:
    """The slots of a worker on a device for networks such as the candidate's.

    On a GPU it trains 1, 2, 4, ... at once for some seconds, the first time on a machine (what was measured is kept in
    the user's cache folder), and sees to it that they fit into the memory that is free now.
    """
    if not device.startswith("cuda"):
        return ONE
    alike = steady(candidate)
    name = f"slots-{_key(alike, device, dtype)}"
    measured = _measured(read_kept(name))
    if measured is None:
        measured = (measure or measure_slots)(alike, device, dtype)
        _give_back_memory(device)
        keep(name, {"rates": measured.rates, "bytes_each": measured.bytes_each})
    free, _ = torch.cuda.mem_get_info(device)
    return best_count(measured, round(_MEMORY_SHARE * free))


@dataclass(frozen=True)
class Measured:
    """What was measured on a device."""

    rates: Rates
    """Images a second of all together, by the number of trainings."""
    bytes_each: int
    """Device memory that one training takes."""


Measure = Callable[[Candidate, str, torch.dtype], Measured]


def best_count(measured: Measured, memory: int) -> SlotCount:
    """The fewest trainings at once after which more gain nothing, of those that fit into so many bytes."""
    fits = max(1, memory // max(1, measured.bytes_each))
    rates = {n: rate for n, rate in sorted(measured.rates.items()) if n <= fits} or {1: measured.rates[1]}
    most = max(rates.values())
    n = next(n for n, rate in rates.items() if rate * MIN_GAIN >= most)
    shown = ", ".join(f"{k}: {rate:,.0f}" for k, rate in rates.items())
    held = f"; memory holds {fits}" if fits < max(measured.rates) else ""
    return SlotCount(n, f"images/s with {shown}, measured{held}")


def measure_slots(
    candidate: Candidate,
    device: str,
    dtype: torch.dtype,
    most: int = MAX_SLOTS,
    n_batches: int = _BATCHES,
    min_gain: float = MIN_GAIN,
    make: Callable[..., Training] = Training,
) -> Measured:
    """Trains 1, 2, 4, ... at once, until more gain nothing or do not fit."""
    n_images = n_batches * max(2, candidate.recipe.batch_size)
    data = noise_data(n_images).to(device)
    make(candidate, data, 0, device, dtype)  # the first one loads kernels, which is no part of what each takes
    trainings: list[Training] = []
    rates: Rates = {}
    bytes_each, n = 0, 1
    try:
        while n <= most:
            while len(trainings) < n:
                before = _memory_taken(device)
                trainings.append(make(candidate, data, len(trainings), device, dtype))
                bytes_each = max(bytes_each, _memory_taken(device) - before)
            images_per_second(trainings, n_images)
            rates[n] = images_per_second(trainings, n_images, 2)
            if n > 1 and rates[n] < min_gain * rates[n // 2]:
                break
            n *= 2
    except torch.OutOfMemoryError:
        if not rates:
            raise
    return Measured(rates, bytes_each)


def _give_back_memory(device: str) -> None:
    """What ended trainings leave is kept for others of the process, and would not count as free."""
    gc.collect()
    if torch.cuda.is_available() and device.startswith("cuda"):
        torch.cuda.empty_cache()


def _memory_taken(device: str) -> int:
    if not device.startswith("cuda"):
        return 0
    free, total = torch.cuda.mem_get_info(device)
    return total - free


def _key(candidate: Candidate, device: str, dtype: torch.dtype) -> str:
    """Changes with whatever the rates depend on."""
    parts = (torch.cuda.get_device_name(device), torch.__version__, candidate.id, str(dtype))
    return sha256("\0".join(parts).encode()).hexdigest()[:16]


def _measured(kept: Any) -> Measured | None:
    """What was kept, if it is a measurement."""
    try:
        measured = Measured({int(n): float(rate) for n, rate in kept["rates"].items()}, int(kept["bytes_each"]))
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    is_sound = 1 in measured.rates and all(0 < rate < float("inf") for rate in measured.rates.values())
    return measured if is_sound else None
