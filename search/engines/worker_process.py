"""WorkerProcess: a worker in a process of its own on this machine."""

import contextlib
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread

from search.engines.worker import Inbox, Worker
from trainer.data.images import TrainingData
from trainer.workers.messages import Job, Stop
from trainer.workers.processes import make_process, process_context, start_process
from trainer.workers.settings import WorkerSettings

_JOIN_SECONDS = 5

Work = Callable[[Connection, TrainingData, WorkerSettings, float], None]
"""The life of a worker process: `trainer.workers.worker.work`."""


class WorkerProcess(Worker):
    """A worker process on this machine. It counts as one slot until it is ready, so that its first job waits in it.

    A thread listens to it and another one speaks: who hangs in the middle of a message keeps nobody else waiting.
    """

    def __init__(self, work: Work, data: TrainingData, settings: WorkerSettings, inbox: Inbox) -> None:
        super().__init__(settings, n_slots=1)
        self._inbox = inbox
        self._outbox: SimpleQueue[Job | Stop | None] = SimpleQueue()
        context = process_context(settings.device)
        self._connection, theirs = context.Pipe()
        self.process = make_process(context, work, (theirs, data, settings, time.time()), daemon=True)
        start_process(self.process)
        theirs.close()
        self._threads = [Thread(target=life, daemon=True) for life in (self._listen, self._speak)]
        for thread in self._threads:
            thread.start()

    def _tell(self, message: Job | Stop) -> None:
        self._outbox.put(message)

    def kill(self) -> None:
        """Ends it, whatever it does: a stopped process hears nothing but this."""
        self.process.kill()

    def bury(self) -> str:
        """Waits for its end, which was asked for or has come, and returns the reason in words."""
        self.process.join(_JOIN_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(_JOIN_SECONDS)
        self._outbox.put(None)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        if not any(thread.is_alive() for thread in self._threads):  # else a driver holds the process beyond its end
            self._connection.close()
        return self.last_words or f"its worker ended with exit code {self.process.exitcode}"

    def _listen(self) -> None:
        try:
            while True:
                self._inbox.put((self, self._connection.recv()))
        except (EOFError, OSError):
            self._inbox.put((self, None))

    def _speak(self) -> None:
        with contextlib.suppress(OSError):  # it is gone: whoever listens finds out
            while (message := self._outbox.get()) is not None:
                self._connection.send(message)
