"""How things end that are given odd input: with a result, or with one line that says why not, and never otherwise."""

import io
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from models.errors import MnistSearchError
from search.cli.app import main
from storage.errors import StorageError

MOST_SECONDS = 30.0
"""Of a processor: for what is quick, on a machine that does other things too."""


class Line(str):
    """What was said instead of a result."""


def outcome_of(call: Callable[..., Any], *arguments: Any, seconds: float = MOST_SECONDS) -> Any:
    """What a call returns, or the Line of its error; anything else that it raises is not caught."""
    began, line = time.process_time(), ""
    try:
        return call(*arguments)
    except (MnistSearchError, StorageError) as error:
        line = str(error)
    finally:
        assert time.process_time() - began < seconds
    assert line
    return Line(line)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The last line on stderr, without the program's name."""
        return self.err.rstrip("\n").rpartition("\n")[2].removeprefix("mnist-search: ")


def command(arguments: Sequence[str], codes: Sequence[int] = (0, 1, 2)) -> Ended:
    """A command in this process, which ends as commands do: one of these codes, no control code, a line for a fault.

    What comes of warnings and threads is left to pytest, which makes errors of them.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=how) for how in ("strict", "backslashreplace"))
    with patch.object(sys, "stdout", out), patch.object(sys, "stderr", err), pytest.raises(SystemExit) as stop:
        main(list(arguments))
    ended = Ended(stop.value.code, *(_text_of(stream) for stream in (out, err)))  # type: ignore[arg-type]
    assert ended.code in codes, ended
    assert all(line.isprintable() for text in (ended.out, ended.err) for line in text.split("\n")), ended
    assert "Traceback" not in ended.err
    if ended.code in (1, 2):
        lines = [line for line in ended.err.splitlines() if line.startswith("mnist-search: ")]
        assert len(lines) >= 1, ended
        assert all(len(line) < 2_100 for line in lines), ended
    if ended.code == 2:
        assert ended.err.count("\n") <= 4, ended
    return ended


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
