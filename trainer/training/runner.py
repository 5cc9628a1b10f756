"""Runner: how the pieces of work of a training get done, here and now or enqueued on a GPU."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch

Work = Callable[[], None]


class Runner(Protocol):
    """Does works in order. A work reads and writes tensors at addresses that stay, and nothing else."""

    captures: bool
    """Whether works are recorded once, and their recordings are done."""
    steps_at_once: int
    """How many steps of one length are one work."""

    def place(self) -> AbstractContextManager[object]:
        """Where everything of the training must be made and done."""

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        """What does the work from now on; it was done once before. `generators` are those that it draws from."""

    def begin(self, works: Iterator[Work]) -> None:
        """Does works, or begins to: what was begun before is over."""

    def is_done(self) -> bool:
        """Whether all works are done; enqueues more of them, if there is room."""

    def wait(self) -> None:
        """Returns when all works are done."""

    def forget(self) -> None:
        """Lets go of works that are not begun."""


class AtOnce:
    """Does each work before the next one is looked at."""

    captures = False
    steps_at_once = 1

    def place(self) -> AbstractContextManager[object]:
        return nullcontext()

    def record(self, work: Work, generators: Sequence[torch.Generator]) -> Work:
        return work

    def begin(self, works: Iterator[Work]) -> None:
        for work in works:
            work()

    def is_done(self) -> bool:
        return True

    def wait(self) -> None:
        return

    def forget(self) -> None:
        return
