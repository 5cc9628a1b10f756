"""stdout and stderr that outlast their terminal, and steer it only by what this program draws.

Whoever writes to a terminal that was closed gets an error, in the middle of whatever was to be told of. A command has
better things to do then: to hand back what it was at, or to go on, where its user wanted it to (`nohup`, `disown`).

Names of studies and files, and all that a database tells, are other people's texts: what would move the cursor or turn
the direction of writing is shown as a code, wherever it is printed. A view that rich draws goes through `drawing`.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from models.printable import printable

_is_hung_up = False


def outlast_readers() -> None:
    """From now on nobody needs to read what is written: what read it may be closed along with the terminal."""
    global _is_hung_up
    _is_hung_up = True


def open_closed_streams() -> None:
    """Open /dev/null in place of each standard stream that the caller closed (`>&-`, `<&-`, `2>&-`).

    Python gives None for such a stream, and its descriptor would go to the next file or socket that is opened. Workers
    and compilers inherit the new one.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor: the one that is closed
            os.set_inheritable(nowhere, True)
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", errors="replace"))


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Meanwhile what is written to a terminal that is gone is lost, and nobody hears of it."""
    global _is_hung_up
    before = sys.stdout, sys.stderr
    _is_hung_up = False
    sys.stdout, sys.stderr = (cast(TextIO, _LastingStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def drawing(stream: TextIO) -> TextIO:
    """The same stream for whoever colours and moves the cursor, and sees to it that texts do not."""
    return cast(TextIO, _LastingStream(stream._stream, draws=True)) if isinstance(stream, _LastingStream) else stream


def turn_off(stream: TextIO) -> None:
    """Lets all that is still to be written to a stream go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _LastingStream:
    """A stream whose reader may be gone; in all else it is the stream."""

    def __init__(self, stream: TextIO, draws: bool = False) -> None:
        self._stream = stream
        self._draws = draws

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        shown = text if self._draws else "\n".join(map(printable, text.split("\n")))
        try:
            return self._stream.write(shown)
        except OSError as error:
            self._forgive(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._forgive(error)

    def _forgive(self, error: OSError) -> None:
        """Raises what is no sign of a reader that is gone."""
        if not self._is_gone(error.errno):
            raise error
        turn_off(self._stream)

    def _is_gone(self, number: int | None) -> bool:
        if number == errno.EPIPE:
            return _is_hung_up
        return number == errno.EBADF or (number == errno.EIO and self._is_device())  # EBADF: open for reading alone

    def _is_device(self) -> bool:
        """Whether it is a terminal, or was: one that is gone is asked in vain."""
        return stat.S_ISCHR(os.fstat(self._stream.fileno()).st_mode)
