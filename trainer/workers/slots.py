"""SlotLoop: several trainings in one process, each in a slot of its own, all driven from one thread."""

import contextlib
import io
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import torch

from models.candidate import Candidate
from trainer.data.images import TrainingData
from trainer.training.cuda_runner import CaptureError, Lane
from trainer.training.records import DivergedError
from trainer.training.runners import give_back_memory, make_lane, make_runner
from trainer.training.state import StateError, TrainingState
from trainer.training.train import Training
from trainer.workers.messages import (
    BatchesDone,
    Broken,
    Diverged,
    EpochDone,
    Finished,
    Job,
    Leaving,
    Message,
    Slots,
    Stop,
)
from trainer.workers.settings import WorkerSettings

_IDLE_SECONDS = 0.001
"""For how long a loop whose epochs are all under way looks for news: so late at most is an epoch's end seen."""

_BATCHES_SECONDS = 0.5
"""How often at most it is told how far an epoch is."""

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
    """Its state is that of the last epoch, so that it goes on from there should it have to begin anew."""
    n_reported: int = 0
    """Epochs of which the dispatcher has the record: it is not told of them again."""
    n_cramped: int = 0
    """Times that there was no memory for it beside others. From the second on it is trained with nobody beside it."""


@dataclass(eq=False)
class _Slot:
    lane: Lane | None
    """What it has for life on a GPU."""
    task: _Task | None = None
    training: Training | None = None
    is_under_way: bool = False
    """Whether an epoch has begun and was not ended."""

    def clear(self) -> None:
        if self.training is not None:
            self.training.close()
        self.task, self.training, self.is_under_way = None, None, False


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
        self._cramped: list[_Task] = []  # those that wait for a training to end, since there was no memory for them
        self._has_fewer = False
        self._messages: list[Message] = []
        self._told_at = 0.0

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
        self._cramped = [task for task in self._cramped if task.job.number != number]
        for slot in self._slots:
            if slot.task is not None and slot.task.job.number == number:
                self._free(slot)

    def _free(self, slot: _Slot) -> None:
        """Ends what a slot does."""
        slot.clear()
        self._make_room()

    def _make_room(self) -> None:
        """A training is over: those for which there was no memory are next."""
        self._waiting.extendleft(reversed(self._cramped))
        self._cramped.clear()
        self._has_fewer = False

    def _take_turns(self) -> bool:
        """Moves each slot on that can move; returns whether one could."""
        has_moved = False
        for slot in self._slots:
            if slot.task is not None:
                has_moved |= self._try(slot, self._go_on)
            if slot.task is None and self._may_begin():
                slot.task = self._waiting.popleft()
                has_moved |= self._try(slot, self._begin)
        return has_moved

    def _may_begin(self) -> bool:
        """Whether the next job that waits has a place."""
        if not self._waiting or any(slot.task is not None and slot.task.n_cramped > 1 for slot in self._slots):
            return False
        return self._n_busy < (1 if self._waiting[0].n_cramped > 1 else self._n_slots)

    def _begin(self, slot: _Slot, task: _Task) -> bool:
        job, settings = task.job, self._settings

        def look_for_stop(n_done: int, n: int) -> None:
            self._take_in()
            if slot.task is not task:
                raise _StoppedError
            self._tell_batches(task, n_done / n)

        slot.training = self._make_training(
            Candidate.from_dict(job.candidate), self._data, job.seed, settings.device, settings.dtype,
            on_batch=look_for_stop, runner=make_runner(settings.device, slot.lane),
        )  # fmt: skip
        _go_on_from(slot.training, job.state)
        self._start_epoch(slot, task)
        return True

    def _tell_batches(self, task: _Task, share: float) -> None:
        """Tells how far an epoch is, now and then. Not on a GPU, whose epochs are short and are enqueued ahead."""
        now = time.monotonic()
        if not self._is_on_gpu and now - self._told_at >= _BATCHES_SECONDS:
            self._told_at = now
            self._messages.append(BatchesDone(task.job.number, share))
            self._send()

    def _go_on(self, slot: _Slot, task: _Task) -> bool:
        """Ends the epoch of a slot and starts the next; returns whether either could be done."""
        assert slot.training is not None
        if slot.is_under_way:
            if not slot.training.is_epoch_ready():
                return False
            self._end_epoch(slot, task)
        if slot.task is task:
            self._start_epoch(slot, task)
        return True

    def _start_epoch(self, slot: _Slot, task: _Task) -> None:
        if not self._is_on_gpu:
            self._send()  # an epoch runs here until it is over: nobody shall wait for its end to hear of the last one
        self._take_in()
        if slot.task is not task or slot.training is None:
            return
        slot.is_under_way, self._told_at = True, time.monotonic()
        slot.training.start_epoch()
        if slot.training.is_epoch_ready():  # as it is on a CPU
            self._end_epoch(slot, task)

    def _end_epoch(self, slot: _Slot, task: _Task) -> None:
        training, number = slot.training, task.job.number
        assert training is not None
        record, slot.is_under_way = training.end_epoch(), False
        state = b"" if training.is_over else training.state().to_bytes()
        task.job = replace(task.job, state=state)
        if record.epoch > task.n_reported:
            task.n_reported = record.epoch
            self._messages.append(EpochDone(number, record, state=state))
        if training.is_over:
            weights = io.BytesIO()
            torch.save(training.weights(), weights)
            self._messages.append(Finished(number, weights.getvalue(), training.predictions))
            self._free(slot)

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
            self._free(slot)
        except Exception as raised:  # a fault of ours or of the machine: the others go on without this one
            error = raised.with_traceback(None)  # whose frames hold the training's memory
        if error is not None:
            slot.clear()
            self._failed(task, error)
        return True

    def _failed(self, task: _Task, error: Exception) -> None:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if _is_device_lost(error):
            self._messages.append(Leaving(reason, without_graphs=isinstance(error, CaptureError)))
            self._send()
            raise DeviceLostError(reason)
        if _is_out_of_memory(error) and self._n_busy:
            # It begins anew when one of the others ends; if that is in vain too, when all of them have: then it is the
            # job that is large, and not the slots that are too many.
            task.n_cramped += 1
            self._cramped.append(task)
            give_back_memory(slot.lane for slot in self._slots if slot.task is None and slot.lane is not None)
            if task.n_cramped == 1 and not self._has_fewer:
                # Once until a training ends: beside a large one none of those that wait may have room.
                self._n_slots, self._has_fewer = max(self._n_busy, self._n_slots - 1), True
                self._messages.append(Slots(self._n_slots, reason))
        else:
            self._messages.append(Broken(task.job.number, reason))
            self._make_room()

    def _send(self) -> None:
        messages, self._messages = self._messages, []
        if messages:
            self._connection.send(messages)


def _go_on_from(training: Training, state: bytes) -> None:
    """Takes a training to this state; what is none of its own leaves it at its beginning."""
    with contextlib.suppress(StateError):
        if state:
            training.restore(TrainingState.from_bytes(state))


def _is_out_of_memory(error: Exception) -> bool:
    """Whether there was no memory for what was begun, and the device is otherwise well."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    # What libraries and the driver allocate by themselves. A capture that breaks on it leaves the process unfit.
    said = ("out of memory", "ALLOC_FAILED")
    return (
        isinstance(error, RuntimeError) and not isinstance(error, CaptureError) and any(t in str(error) for t in said)
    )


def _is_device_lost(error: Exception) -> bool:
    """Whether whatever this process does on its GPU from now on will fail too, as after an illegal access there."""
    if _is_out_of_memory(error):
        return False
    is_accelerators = isinstance(error, getattr(torch, "AcceleratorError", ()))
    return is_accelerators or (isinstance(error, RuntimeError) and "CUDA" in str(error))
