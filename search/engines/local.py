"""The engine of this machine: worker processes of one slot or more."""

from collections import deque
from dataclasses import replace
from multiprocessing.connection import wait

import torch

from search.engines.losses import Given, Losses
from search.engines.protocol import EngineError
from search.engines.worker_process import Work, WorkerProcess
from trainer.data.images import TrainingData
from trainer.fused.kernels import load_kernels
from trainer.workers.messages import (
    Answer,
    Broken,
    Diverged,
    EpochDone,
    Finished,
    Job,
    Leaving,
    Lost,
    Message,
    Ready,
    Slots,
)
from trainer.workers.settings import WorkerSettings
from trainer.workers.worker import work

_RESEND_SECONDS = 0.01


class LocalEngine:
    """Worker processes on this machine, one for each of `devices`. The data is shared with them, not copied.

    Each has `slots` slots, or as many as it finds right.
    """

    _work: Work = staticmethod(work)
    """What its processes do."""

    def __init__(self, data: TrainingData, devices: list[str], dtype: torch.dtype, slots: int | None = None) -> None:
        load_kernels()  # compiled here once, so that the workers find it done
        self._data = data.share_memory()
        self._losses = Losses()
        self._waiting: deque[Given] = deque()
        self._error: EngineError | None = None
        self._workers = [self._start(WorkerSettings(device, dtype, slots)) for device in devices]

    @property
    def n_workers(self) -> int:
        return len(self._workers)

    @property
    def n_slots(self) -> int:
        return sum(worker.n_slots for worker in self._workers)

    @property
    def n_free(self) -> int:
        # Those that wait here wait for a worker without a suspect, and not for a slot.
        return sum(max(0, worker.n_free) for worker in self._workers)

    def submit(self, job: Job) -> None:
        self._waiting.append(Given(job))
        self._hand_out()

    def poll(self, timeout_seconds: float) -> list[Answer]:
        if self._error is not None:
            raise self._error
        for worker in self._workers:
            worker.flush()
        if any(worker.is_behind for worker in self._workers):
            timeout_seconds = min(timeout_seconds, _RESEND_SECONDS)
        ready = wait([worker.connection for worker in self._workers], timeout_seconds)
        answers: list[Answer] = []
        try:
            for worker in [worker for worker in self._workers if worker.connection in ready]:
                self._listen(worker, answers)
        except EngineError as error:
            if not answers:
                raise
            self._error = error  # once what has come to its end before is kept
        self._hand_out()
        return answers

    def stop(self, number: int) -> None:
        self._waiting = deque(given for given in self._waiting if given.job.number != number)
        for worker in self._workers:
            if number in worker.jobs:
                worker.stop(number)
        self._hand_out()

    def close(self) -> None:
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.bury()

    def _hand_out(self) -> None:
        """Gives workers the jobs that wait, as far as there is room for them."""
        for given in list(self._waiting):
            fit = [
                worker
                for worker in self._workers
                if worker.n_free > 0 and not (given.is_suspect and worker.has_suspect)
            ]
            if fit:
                self._waiting.remove(given)
                max(fit, key=lambda worker: worker.n_free).give(given)

    def _listen(self, worker: WorkerProcess, answers: list[Answer]) -> None:
        """Takes in all that a worker has said; one that is gone is replaced."""
        try:
            while worker.last_words is None and worker.connection.poll():
                for message in worker.connection.recv():
                    answers += self._take_in(worker, message)
        except (EOFError, OSError):
            self._replace(worker, answers)
        else:
            if worker.last_words is not None:
                self._replace(worker, answers)

    def _take_in(self, worker: WorkerProcess, message: Message) -> list[Answer]:
        """What a message comes to for the dispatcher: nothing, if its job is stopped or its epoch known."""
        match message:
            case Ready(slots=n) | Slots(n=n):
                worker.n_slots = n
                return [message]
            case Leaving(reason, without_graphs):
                worker.last_words = reason
                if without_graphs:
                    worker.settings = replace(worker.settings, uses_graphs=False)
                return []
            case EpochDone(number, record):
                self._losses.sign_of_life()
                given = worker.jobs.get(number)
                is_news = given is not None and given.is_news(record.epoch)
                return [replace(message, worker=self._workers.index(worker) + 1)] if is_news else []
            case Finished(number) | Diverged(number):
                self._losses.sign_of_life()
                return [message] if worker.jobs.pop(number, None) is not None else []
            case Broken(number, reason):
                self._losses.sign_of_life()
                given = worker.jobs.pop(number, None)
                return self._failed(given, reason) if given is not None else []

    def _replace(self, worker: WorkerProcess, answers: list[Answer]) -> None:
        """Starts a worker in the place of one that is gone, whose jobs are run once more."""
        reason, place = worker.bury(), self._workers.index(worker)
        self._losses.worker_lost(place, reason)
        self._workers[place] = self._start(worker.settings)
        answers.append(Lost(reason, len(worker.jobs)))
        for given in worker.jobs.values():
            given.is_suspect = True
            answers += self._failed(given, reason)

    def _failed(self, given: Given, reason: str) -> list[Answer]:
        if not given.deserves_another_run():
            return [Broken(given.job.number, reason)]
        self._waiting.append(given)
        return []

    def _start(self, settings: WorkerSettings) -> WorkerProcess:
        return WorkerProcess(self._work, self._data, settings)
