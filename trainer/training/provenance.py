"""On what a training ran, in one line, to be kept with its result."""

from importlib.metadata import PackageNotFoundError, version

import torch

from trainer.fused.kernels import kernels_fault
from trainer.fused.network import has_kernels
from trainer.training.precision import Precision


def provenance(device: str, precision: Precision, elsewhere: str | None = None) -> str:
    """Device, number format and why it is that one, whether the fused kernels are used, and the versions.

    `elsewhere` says where it ran, if not on this machine.
    """
    if elsewhere is not None:
        return f"{elsewhere}, {precision}, torch {torch.__version__}, mnist-search {_version()}"
    name = torch.cuda.get_device_name() if device.startswith("cuda") else device
    fused = ", fused kernels" if device == "cpu" and has_kernels() else ""
    return f"{name}, {precision}{fused}, torch {torch.__version__}, mnist-search {_version()}"


def opening_lines(device: str, precision: Precision, elsewhere: str | None = None) -> list[str]:
    """Return what a user reads before a training: its number format, and why a CPU trains without the fused kernels."""
    lines = [f"precision: {precision}"]
    fault = kernels_fault() if device == "cpu" and elsewhere is None else None
    return lines if fault is None else [*lines, f"kernels: torch trains without them, more slowly: {fault}"]


def _version() -> str:
    """Of the program; one that runs from its sources has none."""
    try:
        return version("mnist-search")
    except PackageNotFoundError:
        return "not installed"
