"""SlotLoop: several trainings in one process, each in a slot of its own, all driven from one thread."""

import io
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch

from models.candidate import Candidate
from trainer.data.images import TrainingData
from trainer.training.cuda_runner import Lane
from trainer.training.records import DivergedError
from trainer.training.runners import make_lane, make_runner
from trainer.training.train import Training
from trainer.workers.messages import Broken, Diverged, EpochDone, Finished, Job, Leaving, Message, Slots, Stop
from trainer.workers.settings import WorkerSettings

_IDLE_SECONDS = 0.001
"""For how long a loop whose epochs are all under way looks for news: so late at most is an epoch's end seen."""

DISPATCHER_GONE = (EOFError, ConnectionError)
"""What a connection raises, at either end of a message, when nobody is left at its other side."""


class EndOfWorkError(Exception):
    """The dispatcher wants nothing more of this worker."""


class DeviceLostError(Exception):
    """Whatever this process does on its device from now on fails; the dispatcher was told why."""


class _StoppedError(Exception):
    """Raised within an epoch whose job was stopped meanwhile."""


@dataclass(eq=False)
class _Task:
    """A job, and what was said of it."""

    job: Job
    n_reported: int = 0
    """Epochs of which the dispatcher has the record: it is not told of them again when the job begins anew."""


@dataclass(eq=False)
class _Slot:
    lane: Lane | None
    """What it has for life on a GPU."""
    task: _Task | None = None
    training: Training | None = None

    def clear(self) -> None:
        self.task = self.training = None


class SlotLoop:
    """Trains what it is sent until it is sent None. No slot waits for another: each goes on as its epoch ends."""

    def __init__(
        self,
        connection: Connection,
        data: TrainingData,
        settings: WorkerSettings,
        n_slots: int,
        make_training: Callable[..., Training] = Training,
    ) -> None:
        self._connection = connection
        self._data = data
        self._settings = settings
        self._make_training = make_training
        self._is_on_gpu = settings.device.startswith("cuda")
        self._n_slots = n_slots
        self._slots = [_Slot(make_lane(settings.device)) for _ in range(n_slots)]
        self._waiting: deque[_Task] = deque()
        self._messages: list[Message] = []

    def run(self) -> None:
        """Returns when it is sent None.

        Raises what DISPATCHER_GONE names when nobody is there any more, and DeviceLostError.
        """
        try:
            while True:
                self._take_in(may_wait=self._n_busy == 0 and not self._waiting)
                has_moved = self._take_turns()
                self._send()
                if not has_moved and self._n_busy:
                    self._connection.poll(_IDLE_SECONDS)
        except EndOfWorkError:
            return

    @property
    def _n_busy(self) -> int:
        return sum(slot.task is not None for slot in self._slots)

    def _take_in(self, may_wait: bool = False) -> None:
        """Reads all that was sent, waiting for the first of it if it may. A Stop frees its slot at once."""
        while may_wait or self._connection.poll():
            may_wait = False
            match self._connection.recv():
                case Job() as job:
                    self._waiting.append(_Task(job))
                case Stop(number):
                    self._drop(number)
                case None:
                    raise EndOfWorkError

    def _drop(self, number: int) -> None:
        self._waiting = deque(task for task in self._waiting if task.job.number != number)
        for slot in self._slots:
            if slot.task is not None and slot.task.job.number == number:
                slot.clear()

    def _take_turns(self) -> bool:
        """Moves each slot on that can move; returns whether one could."""
        has_moved = False
        for slot in self._slots:
            if slot.task is not None:
                has_moved |= self._try(slot, self._go_on)
            if slot.task is None and self._waiting and self._n_busy < self._n_slots:
                slot.task = self._waiting.popleft()
                has_moved |= self._try(slot, self._begin)
        return has_moved

    def _begin(self, slot: _Slot, task: _Task) -> bool:
        job, settings = task.job, self._settings

        def look_for_stop(_number: int, _n: int) -> None:
            self._take_in()
            if slot.task is not task:
                raise _StoppedError

        slot.training = self._make_training(
            Candidate.from_dict(job.candidate), self._data, job.seed, settings.device, settings.dtype,
            on_batch=look_for_stop, runner=make_runner(settings.device, slot.lane),
        )  # fmt: skip
        self._start_epoch(slot, slot.training)
        return True

    def _go_on(self, slot: _Slot, task: _Task) -> bool:
        """Ends the epoch of a slot and starts the next, if it is ready; returns whether it was."""
        assert slot.training is not None
        if not slot.training.is_epoch_ready():
            return False
        record, number = slot.training.end_epoch(), task.job.number
        if record.epoch > task.n_reported:
            task.n_reported = record.epoch
            self._messages.append(EpochDone(number, record))
        if not slot.training.is_over:
            self._start_epoch(slot, slot.training)
            return True
        weights = io.BytesIO()
        torch.save(slot.training.weights(), weights)
        self._messages.append(Finished(number, weights.getvalue(), slot.training.predictions))
        slot.clear()
        return True

    def _start_epoch(self, slot: _Slot, training: Training) -> None:
        if not self._is_on_gpu:
            self._send()  # an epoch runs here until it is over: nobody shall wait for its end to hear of the last one
        self._take_in()
        if slot.training is training:
            training.start_epoch()

    def _try(self, slot: _Slot, move: Callable[[_Slot, _Task], bool]) -> bool:
        """Moves a slot on, and returns whether it did; what that raises is the end of its training, and of no other."""
        task, error = slot.task, None
        assert task is not None
        try:
            return move(slot, task)
        except (EndOfWorkError, *DISPATCHER_GONE):
            raise
        except _StoppedError:
            pass  # its slot is free already
        except DivergedError as raised:
            self._messages.append(Diverged(task.job.number, raised.epoch))
            slot.clear()
        except Exception as raised:  # a fault of ours or of the machine: the others go on without this one
            error = raised.with_traceback(None)  # whose frames hold the training's memory
        if error is not None:
            slot.clear()
            self._failed(task, error)
        return True

    def _failed(self, task: _Task, error: Exception) -> None:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if _is_device_lost(error):
            self._messages.append(Leaving(reason))
            self._send()
            raise DeviceLostError(reason)
        if isinstance(error, torch.OutOfMemoryError) and self._n_busy:
            # There is room for the others alone. The job waits here for one of them to end, and begins anew.
            self._n_slots = self._n_busy
            self._waiting.appendleft(task)
            self._messages.append(Slots(self._n_slots, reason))
        else:
            self._messages.append(Broken(task.job.number, reason))

    def _send(self) -> None:
        messages, self._messages = self._messages, []
        if messages:
            self._connection.send(messages)


def _is_device_lost(error: Exception) -> bool:
    """Whether whatever this process does on its GPU from now on will fail too, as after an illegal access there."""
    if isinstance(error, torch.OutOfMemoryError):
        return False
    is_accelerators = isinstance(error, getattr(torch, "AcceleratorError", ()))
    return is_accelerators or (isinstance(error, RuntimeError) and "CUDA" in str(error))
