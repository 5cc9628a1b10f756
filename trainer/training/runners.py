"""The runner of a device."""

import gc
from collections.abc import Iterable

import torch

from trainer.training.cuda_runner import CudaRunner, Lane
from trainer.training.runner import AtOnce, Runner


def make_lane(device: str) -> Lane | None:
    """What a slot on a device has for life; None where it needs nothing."""
    return Lane(device) if device.startswith("cuda") else None


def give_back_memory(lanes: Iterable[Lane]) -> None:
    """Frees what ended trainings have left on a GPU; `lanes` are those in which none is.

    Torch keeps freed memory for the stream, or the pool, that it was of: another slot could not have it.
    """
    idle = list(lanes)
    if not idle:
        return
    for lane in idle:
        lane.close()
    gc.collect()
    torch.cuda.empty_cache()
    for lane in idle:
        lane.open()


def make_runner(device: str, lane: Lane | None = None) -> Runner:
    """What does the work of a training on a device; on a GPU in this lane, or in one of its own."""
    if not device.startswith("cuda"):
        return AtOnce()
    return CudaRunner(lane or Lane(device))
