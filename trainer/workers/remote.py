"""RemoteWorker: a worker in a process that somebody else started and calls, on whatever machine: an actor of Ray.

Nothing of Ray is imported here: to a worker it is a class whose methods are called from several threads.
"""

import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Thread

import torch

from trainer.data.images import Arrays, TrainingData
from trainer.training.train import Training
from trainer.workers.messages import Job, Leaving, Message, Stop
from trainer.workers.settings import WorkerSettings
from trainer.workers.slots import DeviceLostError
from trainer.workers.worker import serve


class RemoteWorker:
    """The life of a worker in a thread: `work` is called once, `hear` whenever there is something to be told."""

    def __init__(self) -> None:
        self._ours, self._theirs = Pipe()
        self._error: Exception | None = None

    def work(
        self,
        arrays: Arrays,
        settings: WorkerSettings,
        torch_version: str,
        make_training: Callable[..., Training] = Training,
    ) -> Iterator[list[Message]]:
        """What it says, as it comes; nothing at first, which says that it runs.

        It leaves where torch is not of the dispatcher's release: trainings would not be alike. Raises what ends it.
        """
        yield []
        if torch.__version__ != torch_version:
            fault = f"torch {torch.__version__} is there and {torch_version} here: install the same everywhere"
            yield [Leaving(fault)]
            return
        Thread(target=self._live, args=(self._theirs, arrays, settings, make_training), daemon=True).start()
        try:
            while True:
                yield self._ours.recv()
        except EOFError:
            if self._error is not None:
                raise self._error from None

    def hear(self, message: Job | Stop) -> None:
        """Takes in what it is told."""
        self._ours.send(message)

    def _live(
        self, line: Connection, arrays: Arrays, settings: WorkerSettings, make_training: Callable[..., Training]
    ) -> None:
        try:
            # All of it in this thread: torch may keep a number of threads for each that calls it.
            serve(line, TrainingData.of_arrays(arrays), settings, time.time(), make_training)
        except DeviceLostError:
            pass  # it has said so
        except Exception as error:  # whoever listens is told
            self._error = error
        finally:
            line.close()
