"""What the runner of a GPU does on the host's side: the order of its calls, with stand-ins for CUDA's own objects."""

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from trainer.training.cuda_runner import SWITCH, CaptureError, CudaRunner, Lane, capture, why_no_graphs
from trainer.training.runners import make_lane, make_runner

CHUNK = 16


class Event:
    """The end of a chunk: the device has come there once it is told so."""

    made: list["Event"]

    def __init__(self, blocking: bool) -> None:
        assert blocking
        self.is_there = False
        Event.made.append(self)

    def record(self, stream: object) -> None:
        self.stream = stream

    def query(self) -> bool:
        return self.is_there

    def synchronize(self) -> None:
        self.is_there = True


class Graph:
    """Notes what is done with it."""

    calls: list[str]
    fault: Exception | None = None

    def register_generator_state(self, generator: object) -> None:
        Graph.calls.append("register")

    def capture_begin(self, pool: object) -> None:
        Graph.calls.append(f"begin {pool}")

    def capture_end(self) -> None:
        Graph.calls.append("end")
        if Graph.fault is not None:
            raise Graph.fault

    def replay(self) -> None:
        Graph.calls.append("replay")


class Stream:
    def __init__(self, device: str = "cuda:0") -> None:
        self.device = device

    def synchronize(self) -> None:
        Graph.calls.append("synchronize")


@pytest.fixture(autouse=True)
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    Event.made, Graph.calls, Graph.fault = [], [], None
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    why_no_graphs.cache_clear()
    yield
    why_no_graphs.cache_clear()


def runner_without_graphs(monkeypatch: pytest.MonkeyPatch) -> CudaRunner:
    monkeypatch.setenv(SWITCH, "0")
    runner = make_runner("cuda:0")
    assert isinstance(runner, CudaRunner)
    return runner


def test_two_chunks_are_enqueued_ahead_and_the_next_when_one_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = runner_without_graphs(monkeypatch)
    done: list[int] = []
    runner.begin(partial(done.append, i) for i in range(3 * CHUNK + 5))
    assert done == list(range(2 * CHUNK))
    assert not runner.is_done()
    assert len(done) == 2 * CHUNK, "nothing more while both are under way"
    Event.made[0].is_there = True
    assert not runner.is_done()
    assert len(done) == 3 * CHUNK
    Event.made[1].is_there = Event.made[2].is_there = True
    assert not runner.is_done()
    assert done == list(range(3 * CHUNK + 5))
    Event.made[3].is_there = True
    assert runner.is_done()
    runner.begin(iter([partial(done.append, -1)]))
    assert done[-1] == -1
    assert not runner.is_done()


@pytest.mark.parametrize("n", [0, 1, CHUNK, 2 * CHUNK, 5 * CHUNK + 1])
def test_waiting_does_all_of_it(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = runner_without_graphs(monkeypatch)
    done: list[int] = []
    runner.begin(partial(done.append, i) for i in range(n))
    runner.wait()
    assert done == list(range(n))
    assert all(event.is_there for event in Event.made)


@pytest.mark.parametrize(("version", "registers"), [("2.11.0+cu128", True), ("2.13.1", True), ("2.15.0+cu132", False)])
def test_a_capture_step_by_step(version: str, registers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
    replay = capture(lambda: Graph.calls.append("work"), [torch.Generator()], Stream(), "a pool")  # type: ignore[arg-type]
    assert Graph.calls == ["register"] * registers + ["synchronize", "begin a pool", "work", "end"]
    replay()
    assert Graph.calls[-1] == "replay"


@pytest.mark.parametrize("ends_badly_too", [False, True])
def test_a_capture_that_fails_is_ended_and_says_what_to_do(ends_badly_too: bool) -> None:
    def work() -> None:
        if ends_badly_too:
            Graph.fault = RuntimeError("CUDA error: capture was invalidated")
        raise RuntimeError("CUDA error: operation not permitted\nwhen stream is capturing")

    with pytest.raises(CaptureError) as caught:
        capture(work, [], Stream())  # type: ignore[arg-type]
    assert Graph.calls[-1] == "end"
    assert str(caught.value) == (
        "CUDA graph capture failed: CUDA error: operation not permitted when stream is capturing; "
        "MNIST_SEARCH_GRAPHS=0 trains without graphs"
    )


def test_memory_that_runs_out_in_a_capture_is_told_as_such() -> None:
    def work() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError):
        capture(work, [], Stream())  # type: ignore[arg-type]
    assert Graph.calls[-1] == "end"


def test_graphs_that_do_not_work_here_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """On this machine there is no CUDA at all: the trial of it fails, and why is said."""
    monkeypatch.delenv(SWITCH, raising=False)
    reason = why_no_graphs("cuda:0")
    assert reason
    lane = make_lane("cuda:0")
    assert isinstance(lane, Lane)
    assert lane.pool is None
    runner = CudaRunner(lane)
    assert (runner.captures, runner.steps_at_once) == (False, 1)
    work = SimpleNamespace()
    same: Any = runner.record(work, [])  # type: ignore[arg-type]
    assert same is work


def test_only_a_gpu_has_lanes() -> None:
    assert make_lane("cpu") is None
    assert make_lane("mps") is None
    assert not make_runner("cpu").captures
