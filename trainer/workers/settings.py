"""What a worker is told once, when it is started."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class WorkerSettings:
    """Where and how a worker trains."""

    device: str
    dtype: torch.dtype
    slots: int | None = None
    """Trainings at once, from 1; None leaves it to the worker."""
    uses_graphs: bool = True
    """Whether a GPU's trainings are captured as CUDA graphs, where they can be."""
