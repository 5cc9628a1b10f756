"""A worker process: trains the candidates it is sent, one after the other. Knows nothing of studies or databases."""

import io
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch

from models.candidate import Candidate
from trainer.data.images import TrainingData
from trainer.hardware.device import prepare_device
from trainer.training.records import DivergedError
from trainer.training.train import Training
from trainer.workers.messages import Broken, Diverged, EpochDone, Finished, Job, Ready
from trainer.workers.processes import die_with_parent, peak_memory_bytes

_DISPATCHER_GONE = (EOFError, ConnectionError)
"""What a connection raises, at either end of a message, when nobody is left at its other side."""


@dataclass(frozen=True)
class WorkerSettings:
    """Where and how a worker trains."""

    device: str
    dtype: torch.dtype


def work(connection: Connection, data: TrainingData, settings: WorkerSettings, started_at: float) -> None:
    """The life of a worker process, until it is sent None or its parent is gone. `started_at` is time.time().

    Ends with exit code 1 once its device is lost to it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the dispatcher decides
    die_with_parent()
    prepare_device(settings.device)
    torch.set_num_threads(1)  # there is a worker for every core; and sums are added up in the same order everywhere
    data = data.to(settings.device)
    try:
        connection.send(Ready(time.time() - started_at, peak_memory_bytes()))
        while (job := connection.recv()) is not None:
            _do(job, connection, data, settings)
    except _DISPATCHER_GONE:
        return


def _do(job: Job, connection: Connection, data: TrainingData, settings: WorkerSettings) -> None:
    try:
        _train(job, connection, data, settings)
    except _DISPATCHER_GONE:
        raise
    except Exception as error:  # a fault of ours or of the machine: the search goes on without this one
        is_lost = _is_device_lost(error)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        connection.send(Broken(job.number, reason, worker_ends=is_lost))
        if is_lost:
            sys.exit(1)


def _train(job: Job, connection: Connection, data: TrainingData, settings: WorkerSettings) -> None:
    training = Training(Candidate.from_dict(job.candidate), data, job.seed, settings.device, settings.dtype)
    try:
        for record in training:
            connection.send(EpochDone(job.number, record))
            if not connection.recv():
                return
    except DivergedError as error:
        connection.send(Diverged(job.number, error.epoch))
        return
    buffer = io.BytesIO()
    torch.save(training.weights(), buffer)
    connection.send(Finished(job.number, buffer.getvalue(), training.predictions))


def _is_device_lost(error: Exception) -> bool:
    """Whether whatever this process does on its GPU from now on will fail too, as after an illegal access there."""
    if isinstance(error, torch.OutOfMemoryError):
        return False
    is_accelerators = isinstance(error, getattr(torch, "AcceleratorError", ()))
    return is_accelerators or (isinstance(error, RuntimeError) and "CUDA" in str(error))
