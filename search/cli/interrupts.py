"""Ctrl-C: once stops cleanly, twice at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130


@contextmanager
def terminable() -> Iterator[None]:
    """Makes of a polite kill what Ctrl-C is, an exception: what is half done is then cleared away."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Calls `stop` at the first Ctrl-C (or polite kill), and ends the program at the second; yields the signals."""
    received: list[int] = []

    def receive(number: int, _frame: FrameType | None) -> None:
        if received:
            if os.isatty(2):
                os.write(2, b"\x1b[?25h")  # the live view had hidden the cursor
            os._exit(130)
        received.append(number)
        stop()

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
