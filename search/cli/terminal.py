"""Messages and progress of `run`, `verify` and `export` on a terminal or in a pipe."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mnist_search.watching import Watcher
from search.cli.interrupts import interruptible, terminable
from search.cli.messages import detail, say, warn
from search.cli.progress import progress_listener
from search.cli.seed_progress import seed_progress
from search.dispatch.listener import Listener
from search.verification.trainings import TrainingListener


class Terminal(Watcher):
    """Prints what `-q` and `-v` ask for, and receives the signals of a terminal."""

    is_interrupted = False
    """Whether a signal stopped the work."""

    def say(self, text: str) -> None:
        say(text)

    def warn(self, text: str) -> None:
        warn(text)

    def detail(self, text: str) -> None:
        detail(text)

    def searching(self) -> AbstractContextManager[Listener]:
        return progress_listener()

    def verifying(self, sustain: int, n_workers: int) -> AbstractContextManager[TrainingListener]:
        return seed_progress(sustain, n_workers)

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        with interruptible(stop) as received:
            yield
        self.is_interrupted = bool(received)

    def clearing(self) -> AbstractContextManager[None]:
        return terminable()
