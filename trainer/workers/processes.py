"""What every process that trains for another one does: ends with it, and says what memory it took."""

import contextlib
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from torch import multiprocessing

_PRELOADED = ["trainer.workers.worker", "trainer.bench.ways"]
_STARTING = threading.Lock()


def process_context(device: str = "cpu") -> BaseContext:
    """Return how a process that trains on this device is started.

    On a CPU a fork server imports torch once for all processes: a start takes .3 CPU-seconds instead of 2.8. CUDA works
    only in a process that was spawned, and so does everything where there is no fork.
    """
    methods = multiprocessing.get_all_start_methods()
    if device != "cpu" or "forkserver" not in methods or sys.platform == "darwin":
        return multiprocessing.get_context("spawn")
    context: BaseContext = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def make_process(context: BaseContext, target: Callable[..., None], args: tuple[Any, ...], daemon: bool) -> BaseProcess:
    """Return a process, not yet started, that has this one's environment as it is now."""
    return context.Process(target=_enter, args=(dict(os.environ), target, args), daemon=daemon)  # type: ignore[attr-defined,no-any-return]


def _enter(environment: Mapping[str, str], target: Callable[..., None], args: tuple[Any, ...]) -> None:
    """Runs in the new process; one from the fork server begins with the environment that the server was started in."""
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)
    target(*args)


def start_process(process: BaseProcess) -> None:
    """Start a process that ignores the signals of a terminal and does not import the script of this one.

    multiprocessing imports the main script again in each process that it starts. Ours need nothing of it, and a script
    that calls `search()` outside `if __name__ == "__main__":` would begin a search in each of them.
    """
    with _STARTING, interrupts_held_back():
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main


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


GROUP_SIGNALS = (signal.SIGINT, signal.SIGHUP)
"""What a terminal tells all processes of a command: that Ctrl-C was pressed, or that it is closed."""


def ignore_group_signals() -> None:
    """Leaves it to the process that started this one to decide what comes of them."""
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def interrupts_held_back() -> Iterator[None]:
    """A process started meanwhile never gets one of the group's, from its first instruction; here they come later."""
    if threading.current_thread() is not threading.main_thread():  # only that one is interrupted
        yield
        return
    resource_tracker.ensure_running()  # begun along with the first process, it would undo the mask
    held_back: list[int] = []
    handlers = {number: signal.getsignal(number) for number in GROUP_SIGNALS}
    before = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, lambda number, _frame: held_back.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)  # inherited, as a handler is not
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
    for came in held_back:
        signal.raise_signal(came)
