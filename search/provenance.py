"""On what a training ran, in one line, to be kept with its result."""

from importlib.metadata import version

import torch

from trainer.fused.network import has_kernels


def provenance(device: str, dtype: torch.dtype) -> str:
    """Device, number format, whether the fused kernels are used, and the versions."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") else device
    fused = ", fused kernels" if device == "cpu" and has_kernels() else ""
    number_format = str(dtype).removeprefix("torch.")
    return f"{name}, {number_format}{fused}, torch {torch.__version__}, mnist-search {version('mnist-search')}"
