"""The life of a worker, in this process: what it answers, and how it ends when something breaks."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import cast

import numpy as np
import pytest
import torch

import trainer.workers.worker
from models.arch import ArchSpec
from models.candidate import Candidate
from models.layers import Conv, Gap, MaxPool
from models.recipe import Recipe
from trainer.data.digits import load_digits
from trainer.data.images import TrainingData
from trainer.workers.messages import Broken, EpochDone, Finished, Job, Ready
from trainer.workers.worker import WorkerSettings, work

ARCH = ArchSpec((Conv(2), MaxPool(), Gap(), Conv(10, 1, then=())))
JOB = Job(7, Candidate(ARCH, Recipe(epochs=2, batch_size=32)).to_dict(), seed=0)
OTHER = Job(8, JOB.candidate, seed=0)


class Line:
    """A connection whose other side says the given things, and is gone at the last of them if that is an error."""

    def __init__(self, *incoming: object) -> None:
        self._incoming = iter(incoming)
        self.sent: list[object] = []
        self.lost_at: type | None = None
        """The kind of message that can no longer be sent."""
        self.error: Exception = BrokenPipeError()

    def recv(self) -> object:
        said = next(self._incoming)
        if isinstance(said, Exception):
            raise said
        return said

    def send(self, message: object) -> None:
        if type(message) is self.lost_at:
            raise self.error
        self.sent.append(message)


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    """A worker changes these of its process for good."""
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    yield
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, handler)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    train = load_digits().train
    return TrainingData.of(train.select(np.arange(64)), train.select(np.arange(64, 96)))


def run(line: Line, data: TrainingData) -> list[type]:
    """The kinds of messages a worker sends before it ends."""
    work(cast(Connection, line), data, WorkerSettings("cpu", torch.float32), started_at=0.0)
    return [type(message) for message in line.sent]


def breaking(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(trainer.workers.worker, "Training", broken)


def test_jobs_one_after_the_other_until_none_is_left(data: TrainingData) -> None:
    sent = run(Line(JOB, True, False, OTHER, True, True, None), data)
    assert sent == [Ready, EpochDone, EpochDone, EpochDone, EpochDone, Finished]
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError(), BrokenPipeError()], ids=repr)
def test_it_ends_quietly_when_nobody_speaks(data: TrainingData, error: Exception) -> None:
    assert run(Line(error), data) == [Ready]
    assert run(Line(JOB, error), data) == [Ready, EpochDone]
    assert run(Line(JOB, True, error), data) == [Ready, EpochDone, EpochDone]


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError()], ids=repr)
def test_it_ends_quietly_when_nobody_listens(
    data: TrainingData, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, before in ((Ready, []), (EpochDone, [Ready]), (Finished, [Ready, EpochDone, EpochDone])):
        line = Line(JOB, True, True)
        line.lost_at, line.error = kind, error
        assert run(line, data) == before
    breaking(monkeypatch, ValueError("of ours"))
    line = Line(JOB)
    line.lost_at, line.error = Broken, error
    assert run(line, data) == [Ready]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("of\n  ours"), "ValueError: of ours"),
        (RuntimeError("shapes differ"), "RuntimeError: shapes differ"),
        (torch.OutOfMemoryError("CUDA out of memory."), "OutOfMemoryError: CUDA out of memory."),
    ],
    ids=repr,
)
def test_it_goes_on_after_a_job_that_breaks(
    data: TrainingData, error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, error)
    line = Line(JOB, OTHER, None)
    run(line, data)
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
def test_it_ends_with_a_device_that_is_lost(
    data: TrainingData, error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, error)
    line = Line(JOB, OTHER, None)
    with pytest.raises(SystemExit) as stop:
        run(line, data)
    assert stop.value.code == 1
    assert line.sent[1:] == [Broken(7, reason, worker_ends=True)]


INTERRUPTED_AT_THE_START = """
import os, signal, subprocess, sys
from trainer.workers.processes import interrupts_held_back
child = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
try:
    with interrupts_held_back():
        os.kill(os.getpid(), signal.SIGINT)
        print(subprocess.check_output([sys.executable, "-c", child], text=True).strip(), flush=True)
except KeyboardInterrupt:
    print("interrupted behind it")
"""


def test_an_interruption_while_a_process_starts_is_neither_lost_nor_inherited() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_AT_THE_START], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("alive\ninterrupted behind it\n", "")
