"""Devices: what is here, what a training should use, and setting it up."""

import torch

from models.errors import MnistSearchError
from trainer.hardware.allocator import keep_freed_memory
from trainer.hardware.machine import usable_cores

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str) -> str:
    """`cpu`, `cuda` or `mps` for a name of `DEVICES`. Raises MnistSearchError if it is unknown or not here."""
    if name not in DEVICES:
        raise MnistSearchError(f"unknown device {name!r}: use {', '.join(DEVICES[:-1])} or {DEVICES[-1]}")
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if here[device])
    if not here[name]:
        raise MnistSearchError(f"no {name} device is here: use --device cpu, or auto")
    return name


def prepare_device(device: str) -> None:
    """Sets this process up to train on a device: the same bits every time, and float32 that is float32.

    By default cuDNN may choose algorithms that add up in any order, and multiplies float32 as TF32, with ten bits of
    mantissa. A CPU keeps its freed memory.
    """
    if device == "cpu":
        keep_freed_memory()
    if device.startswith("cuda"):
        torch.backends.cudnn.deterministic = True
        # The newer `conv.fp32_precision` may not be mixed with this, which torch.export itself reads: it would raise.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False


def worker_devices(device: str, n_workers: int | None) -> list[str]:
    """The device of each worker: one a core on a CPU, one a GPU, unless `n_workers` says otherwise."""
    if device == "cuda":
        n_gpus = torch.cuda.device_count()
        return [f"cuda:{i % n_gpus}" for i in range(n_workers or n_gpus)]
    return [device] * (n_workers or (usable_cores() if device == "cpu" else 1))
