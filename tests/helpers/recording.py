"""A CUDA graph in software, for the CPU: what a work did is written down once, operation by operation, and done again.

As on a GPU a replay runs no Python: numbers are those of the recording, and every tensor is where it was then. So a
training that is right when it is replayed here reads all that changes from tensors, and keeps them where they are.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainer.training.runner import AtOnce, Work

READS_BACK = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "unique", "masked_select", "item")
"""Operations after which the host has to know a value: a GPU would have to be waited for, and capture forbids it."""


class Recording(TorchDispatchMode):
    """Writes down every operation with its very tensors, below autograd: those of backward passes too."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().partition("::")[2].partition(".")[0]
        if name in READS_BACK:
            raise RuntimeError(f"{func} reads a value back: it cannot be captured")
        out = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        """Does all of it again, its results where they were."""
        with torch.no_grad():
            for func, args, kwargs, out in self.operations:
                _put(func(*args, **kwargs), out)

    def numbers(self) -> list[tuple[str, tuple[object, ...]]]:
        """Each operation and the Python numbers that it was given."""
        return [
            (str(func), tuple(x for x in tree_leaves((args, kwargs)) if isinstance(x, (bool, int, float))))
            for func, args, kwargs, _ in self.operations
        ]


def _put(fresh: Any, kept: Any) -> None:
    """Copies what an operation gives now to where its result was; what changed in place or is a view is there."""
    for new, old in zip(tree_leaves(fresh), tree_leaves(kept), strict=True):
        if isinstance(new, torch.Tensor) and isinstance(old, torch.Tensor) and new.data_ptr() != old.data_ptr():
            old.copy_(new)


class RecordingRunner(AtOnce):
    """A runner that captures as the one of a GPU does."""

    captures = True

    def __init__(self, steps_at_once: int = 1) -> None:
        self.steps_at_once = steps_at_once
        self.recordings: list[Recording] = []

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        recording = Recording()
        with recording:
            work()
        self.recordings.append(recording)
        return recording.replay
