"""Ctrl-C, a polite kill, a terminal that is closed: once stops cleanly, twice at once."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from search.cli.streams import outlast_readers

EXIT_INTERRUPTED = 130


@contextmanager
def terminable() -> Iterator[None]:
    """Makes of a polite kill and of a hang-up what Ctrl-C is, an exception: what is half done is then cleared away."""

    def receive(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            outlast_readers()
            signal.signal(number, signal.SIG_IGN)  # it comes twice, and must not disturb the clearing away
        raise KeyboardInterrupt

    with _received(receive, (signal.SIGTERM, signal.SIGHUP)):
        yield


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Calls `stop` at the first Ctrl-C, polite kill or hang-up; yields the signals.

    The second one of a kind ends the program, but for hang-ups: where a terminal is closed both its shell and the
    system say so, and a kill may come behind.
    """
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            outlast_readers()
        elif number in received:
            _show_cursor()
            os._exit(EXIT_INTERRUPTED)
        received.append(number)
        stop()

    with _received(receive, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
        yield received


@contextmanager
def _received(receive: Callable[[int, FrameType | None], None], numbers: tuple[int, ...]) -> Iterator[None]:
    """Meanwhile these signals are received; not a hang-up that is to be ignored, as nohup wants it."""
    before = {number: signal.getsignal(number) for number in numbers}
    heard = [one for one in numbers if one != signal.SIGHUP or before[one] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, receive)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _show_cursor() -> None:
    """The live view had hidden it."""
    if os.isatty(2):
        with contextlib.suppress(OSError):
            os.write(2, b"\x1b[?25h")
