"""Commands in a terminal of their own, which can be closed."""

import fcntl
import os
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.cli import environment


@contextmanager
def in_terminal(
    command: list[str], folder: Path, keep: tuple[int, ...] = ()
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that leads the session of a new terminal, and the end of the terminal at which a user sits.

    It keeps open what is in `keep`, and is killed at the end, if it is still there. Its terminal is closed by whoever
    wants it closed.
    """
    user, line = os.openpty()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment(folder), "TERM": "xterm"},
        stdin=line,
        stdout=line,
        stderr=line,
        text=True,
        pass_fds=keep,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(line)
    try:
        yield process, user
    finally:
        process.kill()
        process.wait()


def read_until(user: int, text: str) -> str:
    """All that is on the terminal until this text is."""
    seen = b""
    while text.encode() not in seen:
        seen += os.read(user, 4096)
    return seen.decode(errors="replace")
