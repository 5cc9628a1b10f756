"""Team: the workers of an engine, and who trains what; where and how they run is for others to say."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue

from search.engines.hangs import Hangs, Patience
from search.engines.losses import Given, Losses
from search.engines.protocol import EngineError
from search.engines.worker import Inbox, Worker
from trainer.workers.messages import (
    Answer,
    BatchesDone,
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


class Team(ABC):
    """An engine of workers, each of which is replaced where it is lost; its jobs go on from their last epoch."""

    def __init__(self, settings: Sequence[WorkerSettings], patience: Patience) -> None:
        """Starts a worker for each of `settings`."""
        self._inbox: Inbox = SimpleQueue()
        self._losses = Losses()
        self._hangs = Hangs(patience)
        self._waiting: deque[Given] = deque()
        self._error: EngineError | None = None
        self._workers = [self._start(each) for each in settings]

    @abstractmethod
    def _start(self, settings: WorkerSettings) -> Worker:
        """A new worker, which speaks into the inbox."""

    def _why_nobody(self) -> str:
        """Why there is no place for any worker, where one is not to be had at once."""
        raise NotImplementedError

    @property
    def n_workers(self) -> int:
        return len(self._workers)

    @property
    def n_slots(self) -> int:
        return sum(worker.n_slots for worker in self._workers)

    @property
    def n_free(self) -> int:
        # Those that wait here wait for a worker without a suspect: what is free now was offered to them.
        return sum(max(0, worker.n_free) for worker in self._workers)

    def submit(self, job: Job) -> None:
        self._waiting.append(Given(job))
        self._hand_out()

    def poll(self, timeout_seconds: float) -> list[Answer]:
        if self._error is not None:
            raise self._error
        answers: list[Answer] = []
        try:
            for worker, messages in self._said(timeout_seconds):
                self._listen(worker, messages, answers)
            for worker, reason in self._hangs.hung(self._workers):
                worker.last_words = reason
                worker.kill()
                self._replace(worker, answers)
            self._require_somebody()
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
            worker.kill()
        for worker in self._workers:
            worker.bury()

    def _hand_out(self) -> None:
        """Gives workers the jobs that wait, as far as there is room; those that are ready come first."""
        for given in list(self._waiting):
            fit = [
                worker
                for worker in self._workers
                if worker.n_free > 0 and not (given.is_suspect and worker.has_suspect)
            ]
            if fit:
                self._waiting.remove(given)
                max(fit, key=lambda worker: (worker.is_ready, worker.n_free)).give(given)

    def _said(self, timeout_seconds: float) -> Iterator[tuple[Worker, list[Message] | None]]:
        """What workers of today have said since, waiting for the first of it."""
        try:
            said = [self._inbox.get(timeout=timeout_seconds) if timeout_seconds > 0 else self._inbox.get_nowait()]
        except Empty:
            said = []
        self._hangs.listened(timeout_seconds)
        said += [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        return ((worker, messages) for worker, messages in said if worker in self._workers)

    def _require_somebody(self) -> None:
        if self._hangs.is_nobody_here(self._workers):
            raise EngineError(self._why_nobody())

    def _listen(self, worker: Worker, messages: list[Message] | None, answers: list[Answer]) -> None:
        """Takes in what a worker has said; one that is gone, or is about to, is replaced."""
        self._hangs.word(worker)
        worker.is_pending = False
        for message in messages or ():
            answers += self._take_in(worker, message)
        if messages is None or worker.last_words is not None:
            self._replace(worker, answers)

    def _take_in(self, worker: Worker, message: Message) -> list[Answer]:
        """What a message comes to for the dispatcher: nothing, if its job is stopped or its epoch known."""
        match message:
            case Ready(slots=n):
                worker.n_slots, worker.is_ready = n, True
                return [message]
            case Slots(n=n):
                worker.n_slots = n
                return [message]
            case Leaving(reason, without_graphs):
                worker.last_words = reason
                if without_graphs:
                    worker.settings = replace(worker.settings, uses_graphs=False)
                return []
            case BatchesDone(number):
                return [message] if number in worker.jobs else []
            case EpochDone(number):
                self._losses.sign_of_life()
                self._hangs.epoch(number)
                given = worker.jobs.get(number)
                is_news = given is not None and given.is_news(message)
                return [replace(message, worker=self._workers.index(worker) + 1)] if is_news else []
            case Finished(number) | Diverged(number):
                self._losses.sign_of_life()
                return [message] if worker.jobs.pop(number, None) is not None else []
            case Broken(number, reason):
                self._losses.sign_of_life()
                if number not in worker.jobs:
                    return []
                if worker.n_slots == 1:
                    # It may be the worker that is to blame, as one without memory is, and would break whatever it is
                    # given: the second run has a fresh one, at the price of a start. With several slots it is a GPU's,
                    # which says by itself when it is of no more use, and has others to train.
                    worker.last_words = reason
                    worker.kill()
                    return []
                return self._failed(worker.jobs.pop(number), reason)

    def _replace(self, worker: Worker, answers: list[Answer]) -> None:
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
