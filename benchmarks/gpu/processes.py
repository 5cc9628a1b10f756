"""Several processes of one slot on a GPU, with and without NVIDIA's Multi-Process Service, beside slots in one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest.mock import patch

import torch

from benchmarks.gpu.chip import PRESET
from benchmarks.gpu.setting import Row, Setting
from trainer.bench.contender import Contender
from trainer.bench.ways import OurWorker
from trainer.data.noise import noise_data

_CONTROL = "nvidia-cuda-mps-control"


def processes(setting: Setting) -> list[Row]:
    """Images a second of 4 and of 8 processes, each way."""
    counts = (2,) if setting.is_trial else (4, 8)
    rows = [_row(setting, n, "") for n in counts]
    if not setting.device.startswith("cuda") or shutil.which(_CONTROL) is None:
        return [*rows, Row("processes with MPS", f"not run: {_CONTROL} is not here")]
    with _service() as fault:
        if fault:
            return [*rows, Row("processes with MPS", f"not run: {fault}")]
        return [*rows, *(_row(setting, n, " with MPS") for n in counts)]


def _row(setting: Setting, n: int, how: str) -> Row:
    n_images = (2 if setting.is_trial else 192) * PRESET.candidate.recipe.batch_size
    data = noise_data(n_images).share_memory()
    with ExitStack() as stack:
        contenders = []
        for i in range(n):
            make = partial(OurWorker, data, setting.device, torch.float32)
            contenders.append(Contender(f"process {i + 1}", make))
            stack.callback(contenders[-1].close)
        for contender in contenders:
            contender.started()
        for _ in range(2):  # the first round loads kernels and captures
            for contender in contenders:
                contender.order(n_images)
            for contender in contenders:
                contender.go()
            done = [contender.wait() for contender in contenders]
        rate = sum(n_images / trained.seconds for trained in done)
    return Row(f"{n} processes of one slot{how}", f"{rate:,.0f} images/s")


@contextmanager
def _service() -> Iterator[str]:
    """MPS for the processes started within; what hinders it, if anything does. No setting of the card is touched."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        with patch.dict(os.environ, places):
            begun = subprocess.run([_CONTROL, "-d"], capture_output=True, text=True, timeout=30, check=False)
            try:
                yield "" if begun.returncode == 0 else begun.stderr.strip() or f"exit code {begun.returncode}"
            finally:
                subprocess.run([_CONTROL], input="quit\n", capture_output=True, text=True, timeout=30, check=False)
