"""Which process works on a study, and whether it is seen to be gone.

A process number means something in one place only: this machine since it was started, and this container, in each of
which there is a process 1. And it is used again: so a process is told by when it began, too. Linux says all that in
/proc; elsewhere there is no place, and nobody is seen to be gone.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_ENDED_STATES = ("Z", "X")
"""Of a process that was killed and whose parent has not asked yet what became of it."""


@dataclass(frozen=True)
class Process:
    """A process, as it is noted for processes elsewhere."""

    host: str
    pid: int
    place: str | None = None
    began: int | None = None
    """In the machine's own count."""

    def is_gone(self) -> bool:
        """Whether it has ended, as far as can be seen from here: never of a process in another place."""
        if self.place is None or (self.place, self.host) != (_place(), socket.gethostname()):
            return False
        began = _began(str(self.pid))
        is_another = None not in (began, self.began) and began != self.began
        return is_another or not _exists(self.pid)


def this_process() -> Process:
    """The process that asks."""
    return Process(socket.gethostname(), os.getpid(), _place(), _began("self"))


def _place() -> str | None:
    """The start of this machine and the namespace of its process numbers; None where /proc does not say."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):
            return None  # mounted for another namespace than ours: it would tell of other processes
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _began(name: str) -> int | None:
    """When a process began, in ticks since the machine did; None where that is not said."""
    fields = _stat(name)
    return int(fields[19]) if fields else None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    fields = _stat(str(pid))
    return not fields or fields[0] not in _ENDED_STATES


def _stat(name: str) -> list[str]:
    """The fields of a process from its state (the third) on; none where they may not be seen."""
    try:
        text = Path(f"/proc/{name}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # before it stands its program's name, which may hold anything
