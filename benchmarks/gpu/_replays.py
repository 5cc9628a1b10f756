"""Works captured as CUDA graphs, and how long their replays take. On a CPU a work is done by itself."""

import time
from collections.abc import Sequence
from statistics import median

import torch

from trainer.training.cuda_runner import capture
from trainer.training.runner import Work

_WARMINGS = 3
"""Times a work is done before it is captured, so that all it makes only once is made, such as compiled kernels."""
_ROUNDS = 5


def captured(work: Work, generators: Sequence[torch.Generator], device: str) -> Work:
    """The work as a graph on a stream of its own; `generators` are those that it draws from. It must read nothing back.

    On a CPU it is the work itself.
    """
    if not device.startswith("cuda"):
        return work
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))  # what the work reads was made there
    with torch.cuda.stream(stream):
        for _ in range(_WARMINGS):
            work()
    replay = capture(work, generators, stream, torch.cuda.graph_pool_handle())

    def replay_on_its_stream() -> None:
        with torch.cuda.stream(stream):
            replay()

    return replay_on_its_stream


def seconds_of(works: Sequence[Work], times: int, device: str) -> float:
    """Seconds until each of the works is done once: median of some rounds, of `times` turns each.

    On a GPU nothing waits between two turns: works on different streams overlap, as far as the device lets them.
    """
    rounds = []
    for _ in range(_ROUNDS):
        _wait(device)
        start = time.perf_counter()
        for _ in range(times):
            for work in works:
                work()
        _wait(device)
        rounds.append((time.perf_counter() - start) / times)
    return median(rounds)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
