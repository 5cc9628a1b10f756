"""A worker process: trains the candidates it is sent. Knows nothing of studies or databases."""

import os
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch

from models.presets import get_preset
from trainer.data.images import TrainingData
from trainer.hardware.device import prepare_device
from trainer.training.cuda_runner import SWITCH, CaptureError
from trainer.training.train import Training
from trainer.workers.messages import Leaving, Ready
from trainer.workers.processes import die_with_parent, ignore_group_signals, peak_memory_bytes
from trainer.workers.settings import WorkerSettings
from trainer.workers.slot_count import choose_slots
from trainer.workers.slots import DISPATCHER_GONE, DeviceLostError, SlotLoop


def work(
    connection: Connection,
    data: TrainingData,
    settings: WorkerSettings,
    started_at: float,
    make_training: Callable[..., Training] = Training,
) -> None:
    """The life of a worker process, until it is sent None or its parent is gone. `started_at` is time.time().

    Ends with exit code 1 once its device is lost to it.
    """
    ignore_group_signals()  # the dispatcher decides
    die_with_parent()
    try:
        serve(connection, data, settings, started_at, make_training)
    except DeviceLostError:
        sys.exit(1)


def serve(
    connection: Connection,
    data: TrainingData,
    settings: WorkerSettings,
    started_at: float,
    make_training: Callable[..., Training] = Training,
) -> None:
    """Trains what it is sent until it is sent None or nobody is there, in a process that does nothing else.

    Raises DeviceLostError, of which it has said why, once its device is lost to this process.
    """
    if not settings.uses_graphs:
        os.environ[SWITCH] = "0"
    prepare_device(settings.device)
    torch.set_num_threads(1)  # there is a worker for every core; and sums are added up in the same order everywhere
    data = data.to(settings.device)
    try:
        n_slots = settings.slots or choose_slots(get_preset("a-step5").candidate, settings.device, settings.dtype).n
        loop = SlotLoop(connection, data, settings, n_slots, make_training)
        connection.send([Ready(time.time() - started_at, peak_memory_bytes(), n_slots)])
        loop.run()
    except DISPATCHER_GONE:
        return
    except CaptureError as error:  # before there was any job
        connection.send([Leaving(f"CaptureError: {error}", without_graphs=True)])
        raise DeviceLostError(str(error)) from error
