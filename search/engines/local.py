"""The engine of this machine: one worker process a slot."""

import contextlib
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import torch
from torch import multiprocessing

from search.engines.protocol import EngineError
from trainer.data.images import TrainingData
from trainer.fused.kernels import load_kernels
from trainer.workers.messages import Answer, Broken, Diverged, Finished, Job
from trainer.workers.processes import interrupts_held_back
from trainer.workers.worker import WorkerSettings, work

_JOIN_SECONDS = 5
_MAX_IDLE_DEATHS = 3


@dataclass
class _Slot:
    settings: WorkerSettings
    process: SpawnProcess
    connection: Connection
    job: int | None = None


class LocalEngine:
    """Worker processes on this machine, one for each of `devices`. The data is shared with them, not copied."""

    def __init__(self, data: TrainingData, devices: list[str], dtype: torch.dtype) -> None:
        load_kernels()  # compiled here once, so that the workers find it done
        self._n_idle_deaths = 0
        self._data = data.share_memory()
        self._context = multiprocessing.get_context("spawn")
        self._slots = [self._start(WorkerSettings(device, dtype)) for device in devices]

    @property
    def n_slots(self) -> int:
        return len(self._slots)

    def submit(self, job: Job) -> None:
        slot = next(slot for slot in self._slots if slot.job is None)
        slot.job = job.number
        with contextlib.suppress(OSError):  # a worker that is gone shows itself at the next poll
            slot.connection.send(job)

    def poll(self, timeout_seconds: float) -> list[Answer]:
        ready = wait([slot.connection for slot in self._slots], timeout_seconds)
        by_connection = {id(slot.connection): slot for slot in self._slots}
        answers = (self._receive(by_connection[id(connection)]) for connection in ready)
        return [answer for answer in answers if answer is not None]

    def reply(self, number: int, go_on: bool) -> None:
        slot = next(slot for slot in self._slots if slot.job == number)
        with contextlib.suppress(OSError):
            slot.connection.send(go_on)
        if not go_on:
            slot.job = None

    def close(self) -> None:
        for slot in self._slots:
            slot.process.terminate()
        for slot in self._slots:
            slot.process.join(_JOIN_SECONDS)
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join()
            slot.connection.close()

    def _receive(self, slot: _Slot) -> Answer | None:
        try:
            answer: Answer = slot.connection.recv()
        except (EOFError, OSError):
            return self._replace(slot)
        self._n_idle_deaths = 0
        if isinstance(answer, (Finished, Diverged, Broken)):
            slot.job = None
        if isinstance(answer, Broken) and answer.worker_ends:
            self._replace(slot)
        return answer

    def _replace(self, slot: _Slot) -> Broken | None:
        """Starts a worker in the place of one that is gone."""
        slot.process.join(_JOIN_SECONDS)
        reason = f"its worker ended with exit code {slot.process.exitcode}"
        lost, slot.job = slot.job, None
        self._n_idle_deaths = self._n_idle_deaths + 1 if lost is None else 0
        if self._n_idle_deaths >= _MAX_IDLE_DEATHS:
            raise EngineError(f"workers end before they begin; the last one: {reason}")
        fresh = self._start(slot.settings)
        slot.connection.close()
        slot.process, slot.connection = fresh.process, fresh.connection
        return Broken(lost, reason) if lost is not None else None

    def _start(self, settings: WorkerSettings) -> _Slot:
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._data, settings, time.time())
        process = self._context.Process(target=work, args=arguments, daemon=True)
        with interrupts_held_back():
            process.start()
        theirs.close()
        return _Slot(settings, process, ours)
