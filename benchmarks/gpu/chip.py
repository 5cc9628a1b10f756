"""The chip's own rates, and what a training step would take at those: the floor that other numbers stand beside."""

import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from benchmarks.gpu.setting import Row, Setting
from models.presets import get_preset

PRESET = get_preset("a-step5")
PASSES = 16
"""Reads and writes of a value between two convolutions in one step, as in `benchmarks/profile_step.py`."""


def chip(setting: Setting) -> list[Row]:
    """Bandwidth and arithmetic, and the floor of a step of a-step5 in float32."""
    bandwidth, macs = copy_rate(setting), matmul_rate(setting)
    batch, arch = PRESET.candidate.recipe.batch_size, PRESET.candidate.arch
    values = sum(C * H * W for C, H, W in (row.output_shape for row in arch.facts if row.params))
    moving, counting = PASSES * values * 4 * batch / bandwidth, 3 * arch.macs * batch / macs
    setting.step_floor = max(moving, counting)
    return [
        Row("device", name_of(setting.device)),
        Row("versions", f"torch {torch.__version__}, Python {platform.python_version()}, commit {commit()}"),
        Row("copying on the device", f"{bandwidth / 1e9:,.0f} GB/s, read and written"),
        Row("float32 matrix product", f"{macs / 1e12:.2f} T MACs/s"),
        Row(
            f"a step of {PRESET.name}, batch {batch}, at best",
            f"{1e6 * setting.step_floor:.1f} µs",
            floor=f"moving {1e6 * moving:.1f} µs, arithmetic {1e6 * counting:.1f} µs",
        ),
    ]


def name_of(device: str) -> str:
    """The name of a GPU, or the device's."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def commit() -> str:
    """Of the working tree, if git knows it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def wait(device: str) -> None:
    """Until all work on a device is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: str, n: int = 10, rounds: int = 5) -> float:
    """The median over rounds of the seconds that one of n calls takes."""
    work()
    taken = []
    for _ in range(rounds):
        wait(device)
        start = time.perf_counter()
        for _ in range(n):
            work()
        wait(device)
        taken.append((time.perf_counter() - start) / n)
    return median(taken)


def copy_rate(setting: Setting) -> float:
    """Bytes a second, those read and those written."""
    n = 1 << (18 if setting.is_trial else 28)
    source = torch.randn(n // 4, device=setting.device)
    target = torch.empty_like(source)
    return 2 * n / seconds_of(lambda: target.copy_(source), setting.device)


def matmul_rate(setting: Setting) -> float:
    """Multiply-accumulates a second in float32 that is float32."""
    side = 128 if setting.is_trial else 4096
    a, b = (torch.randn(side, side, device=setting.device) for _ in range(2))
    out = torch.empty_like(a)
    return side**3 / seconds_of(lambda: torch.mm(a, b, out=out), setting.device)
