"""An engine without processes: it trains for real, in this one, one epoch at each poll."""

import io
from collections.abc import Callable, Iterator

import torch

from models.candidate import Candidate
from trainer.data.digits import load_digits
from trainer.data.images import Images, TrainingData
from trainer.data.split import split_data
from trainer.training.records import DivergedError, EpochRecord
from trainer.training.state import TrainingState
from trainer.training.train import Training
from trainer.workers.messages import Answer, Broken, Diverged, EpochDone, Finished, Job


def small_digits(n_train: int = 96, n_evaluation: int = 48) -> TrainingData:
    """A few of the embedded digits: an epoch takes a blink."""
    data = split_data(load_digits(), "holdout")
    return TrainingData.of(_first(data.train, n_train), _first(data.evaluation, n_evaluation))


def _first(images: Images, n: int) -> Images:
    return Images(images.pixels[:n].clone(), images.labels[:n].clone())


class InlineEngine:
    """One slot in this process. `after_epoch` is called before each EpochDone is handed out."""

    def __init__(self, data: TrainingData, after_epoch: Callable[[Job, EpochRecord], None] | None = None) -> None:
        self._data = data
        self._after_epoch = after_epoch or (lambda job, record: None)
        self._answers: Iterator[Answer] | None = None
        self.jobs: list[Job] = []
        self.breaks_at: set[int] = set()
        """Positions in `jobs` of those that break."""

    n_workers = n_slots = 1

    @property
    def n_free(self) -> int:
        return int(self._answers is None)

    def submit(self, job: Job) -> None:
        assert self._answers is None, "the slot is taken"
        self.jobs.append(job)
        self._answers = self._work(job)

    def poll(self, timeout_seconds: float) -> list[Answer]:
        if self._answers is None:
            return []
        answer = next(self._answers)
        if isinstance(answer, (Finished, Diverged, Broken)):
            self._answers = None
        return [answer]

    def stop(self, number: int) -> None:
        self._answers = None

    def close(self) -> None:
        self._answers = None

    def _work(self, job: Job) -> Iterator[Answer]:
        torch.set_num_threads(1)
        if len(self.jobs) - 1 in self.breaks_at:
            yield Broken(job.number, "its worker ended with exit code -9")
            return
        try:
            training = Training(Candidate.from_dict(job.candidate), self._data, job.seed)
            if job.state:
                training.restore(TrainingState.from_bytes(job.state))
            for record in training:
                self._after_epoch(job, record)
                state = b"" if training.is_over else training.state().to_bytes()
                yield EpochDone(job.number, record, worker=1, state=state)
        except DivergedError as error:
            yield Diverged(job.number, error.epoch)
            return
        weights = io.BytesIO()
        torch.save(training.weights(), weights)
        yield Finished(job.number, weights.getvalue(), training.predictions)


class BatchEngine(InlineEngine):
    """Several slots in this process. Each poll gives all answers of all its jobs, from first to last, in one batch."""

    def __init__(self, data: TrainingData, n_slots: int = 1) -> None:
        super().__init__(data)
        self.n_slots = n_slots
        self._queue: list[Job] = []

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self._queue)

    def submit(self, job: Job) -> None:
        assert len(self._queue) < self.n_slots, "the slots are taken"
        self._queue.append(job)

    def poll(self, timeout_seconds: float) -> list[Answer]:
        answers: list[Answer] = []
        while self._queue:
            super().submit(self._queue.pop(0))
            while self._answers is not None:
                answers += super().poll(0)
        return answers


class TurnsEngine(InlineEngine):
    """Several slots in this process. Each poll gives the next answer of each job."""

    def __init__(self, data: TrainingData, n_slots: int) -> None:
        super().__init__(data)
        self.n_slots = n_slots
        self._works: dict[int, Iterator[Answer]] = {}

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self._works)

    def submit(self, job: Job) -> None:
        assert self.n_free, "the slots are taken"
        self.jobs.append(job)
        self._works[job.number] = self._work(job)

    def poll(self, timeout_seconds: float) -> list[Answer]:
        answers = []
        for number, work in list(self._works.items()):
            answers.append(next(work))
            if isinstance(answers[-1], (Finished, Diverged, Broken)):
                del self._works[number]
        return answers

    def stop(self, number: int) -> None:
        self._works.pop(number, None)

    def close(self) -> None:
        self._works.clear()
