"""stdout and stderr that outlast their terminal.

Whoever writes to a terminal that was closed gets an error, in the middle of whatever was to be told of. A command has
better things to do then: to hand back what it was at, or to go on, where its user wanted it to (`nohup`, `disown`).
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

_is_hung_up = False


def outlast_readers() -> None:
    """From now on nobody needs to read what is written: what read it may be closed along with the terminal."""
    global _is_hung_up
    _is_hung_up = True


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


def turn_off(stream: TextIO) -> None:
    """Lets all that is still to be written to a stream go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _LastingStream:
    """A stream whose reader may be gone; in all else it is the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
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
        is_gone = _is_hung_up if error.errno == errno.EPIPE else error.errno == errno.EIO and self._is_device()
        if not is_gone:
            raise error
        turn_off(self._stream)

    def _is_device(self) -> bool:
        """Whether it is a terminal, or was: one that is gone is asked in vain."""
        return stat.S_ISCHR(os.fstat(self._stream.fileno()).st_mode)
