"""Devices and number formats: what is here, what a training should use, and setting it up."""

import os

import torch

from models.errors import MnistSearchError
from trainer.allocator import keep_freed_memory

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16")


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


def resolve_precision(name: str, device: str) -> torch.dtype:
    """The number format of the forward pass for a name of `PRECISIONS`.

    `auto` is bfloat16 where the processor multiplies it in hardware (a GPU from Ampere on, a CPU with AMX), and
    float32 elsewhere, also on a CPU with AVX512-BF16 but no AMX: whether that gains anything is not measured.
    Weights, their updates and batch statistics are float32 in both.
    """
    if name not in PRECISIONS:
        raise MnistSearchError(f"unknown precision {name!r}: use {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}")
    if name == "auto":
        return torch.bfloat16 if _has_fast_bfloat16(device) else torch.float32
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def _has_fast_bfloat16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device == "cpu" and _has_amx()


def _has_amx() -> bool:
    if hasattr(torch.cpu, "get_capabilities"):  # not in every torch we run on
        return bool(torch.cpu.get_capabilities().get("amx_bf16"))
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


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
    return [device] * (n_workers or (_usable_cores() if device == "cpu" else 1))


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what a container or taskset leaves us, on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
