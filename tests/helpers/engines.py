"""Engines of this machine whose workers do harm, and what can be seen of them from outside."""

import os
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from search.engines.local import LocalEngine
from search.engines.worker import Worker
from search.engines.worker_process import WorkerProcess
from tests.helpers.workers import Harmful
from trainer.data.images import TrainingData
from trainer.workers.messages import Answer
from trainer.workers.worker import work


class Noting(LocalEngine):
    """Notes which jobs each of its workers had that were lost."""

    def __init__(self, *how: Any, **more: Any) -> None:
        self.lost: list[set[int]] = []
        super().__init__(*how, **more)

    def _replace(self, worker: Worker, answers: list[Answer]) -> None:
        self.lost.append(set(worker.jobs))
        super()._replace(worker, answers)


def harmed(harmful: Harmful, data: TrainingData, slots: int, devices: Sequence[str] = ("cpu",), **how: Any) -> Noting:
    """An engine of workers that make their trainings so."""
    engine = type("Harmed", (Noting,), {"_work": staticmethod(partial(work, make_training=harmful))})
    return engine(data, list(devices), torch.float32, slots, **how)  # type: ignore[no-any-return]


def pids_of(engine: LocalEngine) -> list[int]:
    """The process numbers of its workers."""
    workers = [worker for worker in engine._workers if isinstance(worker, WorkerProcess)]
    return [worker.process.pid for worker in workers if worker.process.pid is not None]


def stand_still(pid: int) -> None:
    """Stops a process, and returns when it stands still: it may have been in the middle of a word."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.001)
