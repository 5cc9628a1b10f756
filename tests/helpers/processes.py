"""Processes that are there, or were."""

import subprocess
import sys

from storage.processes import Process, _began, this_process


def ended_process() -> Process:
    """A process of this machine that has just ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    noted = noted_process(process.pid)
    process.communicate(b"\n")
    return noted


def noted_process(pid: int) -> Process:
    """A living process of this machine, as it would be noted of itself."""
    here = this_process()
    return Process(here.host, pid, here.place, _began(str(pid)))
