"""What every process that trains for another one does: ends with it, and says what memory it took."""

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator


def exit_at_once() -> None:
    """Ends this process, whatever its threads do."""
    os._exit(1)


def die_with_parent(end: Callable[[], None] = exit_at_once) -> None:
    """Ends this process by `end` when its parent is gone, also when that was killed and could say nothing."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        end()

    threading.Thread(target=wait, daemon=True).start()


def peak_memory_bytes() -> int:
    """The most memory this process has had resident, what it shares with others included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextlib.contextmanager
def interrupts_ignored() -> Iterator[None]:
    """A process started meanwhile ignores Ctrl-C from its first instruction: it inherits that."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # only the main thread may; another has no Ctrl-C to fear
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
