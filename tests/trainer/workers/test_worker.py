"""The life of a worker, in this process: what it answers, and how it ends when something breaks."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, cast

import numpy as np
import pytest
import torch

from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import Conv, Gap, MaxPool
from models.recipe import Recipe
from trainer.data.digits import load_digits
from trainer.data.images import TrainingData
from trainer.training.cuda_runner import SWITCH, CaptureError
from trainer.training.train import Training
from trainer.workers.messages import Broken, EpochDone, Finished, Job, Leaving, Ready, Stop
from trainer.workers.processes import GROUP_SIGNALS
from trainer.workers.settings import WorkerSettings
from trainer.workers.worker import work

ARCH = ArchSpec((Conv(2), MaxPool(), Gap(), Conv(10, 1, then=())))
JOB = Job(7, Candidate(ARCH, Recipe(epochs=2, batch_size=32)).to_dict(), seed=0)
OTHER = Job(8, JOB.candidate, seed=0)


class Line:
    """A connection whose other side says the given things, each when the worker has nothing else to do.

    It is gone at the last of them if that is an error; `speaks_up` makes it say all that is left at once.
    """

    def __init__(self, *incoming: object) -> None:
        self._incoming = list(incoming)
        self.speaks_up = False
        self.sent: list[object] = []
        self.lost_at: object = None
        """The kind of message that can no longer be sent."""
        self.error: Exception = BrokenPipeError()

    def poll(self, timeout: float = 0) -> bool:
        return self.speaks_up and bool(self._incoming)

    def recv(self) -> object:
        said = self._incoming.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    def send(self, messages: list[object]) -> None:
        if self.lost_at in [type(message) for message in messages]:
            raise self.error
        self.sent += messages


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    """A worker changes these of its process for good."""
    threads, handlers = torch.get_num_threads(), {number: signal.getsignal(number) for number in GROUP_SIGNALS}
    yield
    torch.set_num_threads(threads)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    train = load_digits().train
    return TrainingData.of(train.select(np.arange(64)), train.select(np.arange(64, 96)))


Make = Callable[..., Training]


def run(line: Line, data: TrainingData, make_training: Make = Training, slots: int | None = None) -> list[type]:
    """The kinds of messages a worker sends before it ends."""
    settings = WorkerSettings("cpu", torch.float32, slots)
    work(cast(Connection, line), data, settings, started_at=0.0, make_training=make_training)
    return [type(message) for message in line.sent]


def breaking(error: Exception) -> Make:
    def broken(*_: object, **__: object) -> Training:
        raise error

    return broken


def calling(line: Line) -> Make:
    """Makes trainings after whose first batch the other side says all it has to say."""

    def make(candidate: Any, data: Any, seed: int, device: str, dtype: Any, on_batch: Any, runner: Any) -> Training:
        def speak_up(number: int, n: int) -> None:
            line.speaks_up = True
            on_batch(number, n)

        return Training(candidate, data, seed, device, dtype, on_batch=speak_up)

    return make


def test_jobs_one_after_the_other_until_none_is_left(data: TrainingData) -> None:
    sent = run(Line(JOB, OTHER, None), data)
    assert sent == [Ready, EpochDone, EpochDone, Finished, EpochDone, EpochDone, Finished]
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(("asked", "slots"), [(None, 1), (1, 1), (3, 3)])
def test_it_says_how_many_slots_it_has(data: TrainingData, asked: int | None, slots: int) -> None:
    line = Line(None)
    run(line, data, slots=asked)
    assert [message.slots for message in line.sent if isinstance(message, Ready)] == [slots]


def test_the_end_is_seen_between_two_batches(data: TrainingData) -> None:
    line = Line(JOB, OTHER, Stop(JOB.number), None)
    assert run(line, data, calling(line)) == [Ready]


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError(), BrokenPipeError()], ids=repr)
def test_it_ends_quietly_when_nobody_speaks(data: TrainingData, error: Exception) -> None:
    assert run(Line(error), data) == [Ready]
    assert run(Line(JOB, error), data) == [Ready, EpochDone, EpochDone, Finished]
    line = Line(JOB, error)
    assert run(line, data, calling(line)) == [Ready], "seen within the epoch"


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError()], ids=repr)
def test_it_ends_quietly_when_nobody_listens(data: TrainingData, error: Exception) -> None:
    for kind, before in ((Ready, []), (EpochDone, [Ready]), (Finished, [Ready, EpochDone])):
        line = Line(JOB)
        line.lost_at, line.error = kind, error
        assert run(line, data) == before
    line = Line(JOB)
    line.lost_at, line.error = Broken, error
    assert run(line, data, breaking(ValueError("of ours"))) == [Ready]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("of\n  ours"), "ValueError: of ours"),
        (RuntimeError("shapes differ"), "RuntimeError: shapes differ"),
        (torch.OutOfMemoryError("CUDA out of memory."), "OutOfMemoryError: CUDA out of memory."),
    ],
    ids=repr,
)
def test_it_goes_on_after_a_job_that_breaks(data: TrainingData, error: Exception, reason: str) -> None:
    line = Line(JOB, OTHER, None)
    run(line, data, breaking(error))
    assert line.sent[1:] == [Broken(7, reason), Broken(8, reason)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.AcceleratorError("an illegal access"), "AcceleratorError: an illegal access"),
        (
            RuntimeError("CUDA error: unspecified launch failure"),
            "RuntimeError: CUDA error: unspecified launch failure",
        ),
    ],
    ids=repr,
)
def test_it_ends_with_a_device_that_is_lost(data: TrainingData, error: Exception, reason: str) -> None:
    line = Line(JOB, OTHER, None)
    with pytest.raises(SystemExit) as stop:
        run(line, data, breaking(error))
    assert stop.value.code == 1
    assert line.sent[1:] == [Leaving(reason)]


INTERRUPTED_AT_THE_START = """
import os, signal, subprocess, sys
from trainer.workers.processes import interrupts_held_back
number = getattr(signal, sys.argv[1])
signal.signal(number, signal.default_int_handler)
child = f"import os; os.kill(os.getpid(), {int(number)}); print('alive')"
try:
    with interrupts_held_back():
        os.kill(os.getpid(), number)
        print(subprocess.check_output([sys.executable, "-c", child], text=True).strip(), flush=True)
except KeyboardInterrupt:
    print("interrupted behind it")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_an_interruption_while_a_process_starts_is_neither_lost_nor_inherited(name: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED_AT_THE_START, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("alive\ninterrupted behind it\n", "")


def test_it_leaves_for_one_without_graphs_if_the_slots_cannot_be_measured_with_them(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CaptureError(RuntimeError("CUDA error: no"))

    monkeypatch.setattr("trainer.workers.worker.choose_slots", fail)
    line = Line()
    with pytest.raises(SystemExit) as stop:
        run(line, data)
    assert stop.value.code == 1
    reason = "CaptureError: CUDA graph capture failed: CUDA error: no; MNIST_SEARCH_GRAPHS=0 trains without graphs"
    assert line.sent == [Leaving(reason, without_graphs=True)]


def test_one_without_graphs_turns_them_off(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "1")
    line = Line(None)
    settings = WorkerSettings("cpu", torch.float32, uses_graphs=False)
    work(cast(Connection, line), data, settings, started_at=0.0)
    assert os.environ[SWITCH] == "0"
