"""CudaRunner: a training on a stream of its own, each kind of step captured once as a CUDA graph and replayed.

The rules of capture are those of torch's notes on CUDA semantics (docs.pytorch.org/docs/stable/notes/cuda.html,
"CUDA Graphs"). What follows from them here:

- Nothing of a captured work reads a value back to the host, and no Python number in it changes: all that differs from
  step to step is in tensors that stay where they are (`plan.py`).
- A generator that it draws from is registered with its graph, so that every replay draws anew, from its state.
- Graphs of one slot share a memory pool. They are replayed one at a time, and what must outlive a replay is copied
  out of the pool by the work itself.
- `torch.cuda.graph` is not used: it waits for the whole device at each capture, all other trainings on it included.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial
from itertools import islice
from typing import Any

import torch

from models.errors import WorkFailedError
from trainer.training.runner import Work

SWITCH = "MNIST_SEARCH_GRAPHS"
"""Environment variable: `0` turns CUDA graphs off; every operation is then launched by itself."""

STEPS_A_GRAPH = 8
"""A graph of several steps is launched once for all of them, and so are the two small operations by which torch tells
a graph where its generator stands. By estimate, not by measurement."""
_CHUNK = 16
"""Works that are enqueued at a time. Too many that wait on a stream make the host wait too, the one thread that serves
all slots: on an H100 with 16 slots, epochs of 98 graphs took it up to a second each to enqueue, so that all slots ended
their epochs when the slowest did; epochs of 49 graphs took a hundredth of that. What so few gain was not measured."""
_REGISTERS_ITSELF = "2.14"
"""From this torch on a generator that is drawn from is registered with the graph without being told."""


class CaptureError(WorkFailedError, RuntimeError):
    """A work could not be captured as a CUDA graph. What the process does on the GPU from now on may fail too."""

    def __init__(self, error: Exception) -> None:
        reason = " ".join(str(error).split())
        super().__init__(f"CUDA graph capture failed: {reason}; {SWITCH}=0 trains without graphs")


class Lane:
    """What a slot of a GPU has for life: a stream, and a memory pool for the graphs of its trainings.

    Torch has 32 streams a GPU and hands them out in turn: a stream for each training would soon be a neighbour's. And
    the pool of graphs that are gone is used again by nobody, until all cached memory is given back.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self.stream = torch.cuda.Stream(device)
        self.pool: Any = None
        self.open()

    def open(self) -> None:
        """Makes the pool. None where nothing is captured."""
        if why_no_graphs(self._device) is None:
            self.pool = torch.cuda.graph_pool_handle()
            # A pool without a graph may not be captured into again, so one is always there.
            with torch.cuda.stream(self.stream):
                anchor = torch.zeros(1, device=self._device)
                self._anchor: Any = anchor, capture(partial(_clear, anchor), [], self.stream, self.pool)

    def close(self) -> None:
        """Gives up the pool, with what ended trainings left in it; `open` makes another one."""
        self.pool = self._anchor = None


def _clear(tensor: torch.Tensor) -> None:
    tensor.zero_()


class CudaRunner:
    """Works on the stream of a lane. Two chunks of them are enqueued ahead at most."""

    def __init__(self, lane: Lane, captures: bool = True, steps_at_once: int = STEPS_A_GRAPH) -> None:
        """Captures only where the lane has a pool."""
        self.captures = captures and lane.pool is not None
        self.steps_at_once = steps_at_once if self.captures else 1
        self._lane = lane
        self._stream = lane.stream
        self._works: Iterator[Work] = iter(())
        self._ends: list[torch.cuda.Event] = []  # of the chunks under way
        self._is_all_enqueued = True

    def place(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._stream)

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        return capture(work, generators, self._stream, self._lane.pool) if self.captures else work

    def begin(self, works: Iterator[Work]) -> None:
        self._works, self._is_all_enqueued = works, False
        self.is_done()

    def is_done(self) -> bool:
        self._ends = [end for end in self._ends if not end.query()]
        while not self._is_all_enqueued and len(self._ends) < 2:
            self._enqueue()
        return self._is_all_enqueued and not self._ends

    def wait(self) -> None:
        while not self.is_done():
            self._ends[0].synchronize()

    def forget(self) -> None:
        self._works, self._is_all_enqueued = iter(()), True

    def _enqueue(self) -> None:
        n = 0
        with self.place():
            for work in islice(self._works, _CHUNK):
                work()
                n += 1
            end = torch.cuda.Event(blocking=True)  # the host sleeps when it waits for it
            end.record(self._stream)
        self._ends.append(end)
        self._is_all_enqueued = n < _CHUNK


def capture(work: Work, generators: Sequence[torch.Generator], stream: torch.cuda.Stream, pool: Any = None) -> Work:
    """The replay of a work that was done before on this stream, so that all it makes only once is made.

    Raises CaptureError if it cannot be, and torch.OutOfMemoryError.
    """
    graph = torch.cuda.CUDAGraph()
    if torch.__version__ < _REGISTERS_ITSELF:
        for generator in generators:
            graph.register_generator_state(generator)
    stream.synchronize()
    with torch.cuda.stream(stream):
        try:
            graph.capture_begin(pool=pool)
            try:
                work()
            except BaseException:
                _abandon(graph)
                raise
            graph.capture_end()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise CaptureError(error) from error
    return graph.replay


def _abandon(graph: torch.cuda.CUDAGraph) -> None:
    """Ends a capture that failed: while one is under way nothing else works in the process."""
    try:
        graph.capture_end()
    except RuntimeError:  # it has failed already, and why is raised by the one who calls
        return


@cache
def why_no_graphs(device: str) -> str | None:
    """Why trainings on a GPU are not captured: None where they are. Tried once, on a small sum of random numbers."""
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH} is 0"
    try:
        return None if _replays_draw_anew(device) else "a replay does not draw anew"
    except torch.OutOfMemoryError:
        raise  # that is no word on graphs
    except (RuntimeError, AttributeError) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _replays_draw_anew(device: str) -> bool:
    """Whether two replays give what two runs of the same work would: other numbers each time, those of the seed."""
    stream = torch.cuda.Stream(device)
    with torch.cuda.stream(stream):
        generator = torch.Generator(device)
        keep = torch.full((1,), 0.5, device=device)
        out, total = torch.zeros(64, device=device), torch.zeros(64, device=device)

        def work() -> None:
            out.copy_(torch.empty_like(out).bernoulli_(keep, generator=generator))
            total.add_(out)

        generator.manual_seed(0)
        work()
        first = out.clone()
        work()
        expected = total.clone()
        replay = capture(work, [generator], stream)
        generator.manual_seed(0)
        total.zero_()
        replay()
        is_same = torch.equal(out, first)
        replay()
        return is_same and torch.equal(total, expected) and not torch.equal(out, first)
