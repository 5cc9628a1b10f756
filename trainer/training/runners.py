"""The runner of a device."""

from trainer.training.cuda_runner import CudaRunner, Lane
from trainer.training.runner import AtOnce, Runner


def make_lane(device: str) -> Lane | None:
    """What a slot on a device has for life; None where it needs nothing."""
    return Lane(device) if device.startswith("cuda") else None


def make_runner(device: str, lane: Lane | None = None) -> Runner:
    """What does the work of a training on a device; on a GPU in this lane, or in one of its own."""
    if not device.startswith("cuda"):
        return AtOnce()
    return CudaRunner(lane or Lane(device))
