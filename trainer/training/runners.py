"""The runner of a device."""

import torch

from trainer.training.cuda_runner import CudaRunner, why_no_graphs
from trainer.training.runner import AtOnce, Runner


def make_runner(device: str, stream: torch.cuda.Stream | None = None) -> Runner:
    """What does the work of a training on a device; on a GPU on this stream, or on one of its own."""
    if not device.startswith("cuda"):
        return AtOnce()
    return CudaRunner(stream or torch.cuda.Stream(device), captures=why_no_graphs(device) is None)
