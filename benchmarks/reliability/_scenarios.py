"""The faults, one function each: it begins a search, does its worst to it, and waits for its end."""

import contextlib
import fcntl
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.reliability._case import Case, said_since, signal_all
from benchmarks.reliability._disk import SmallDisk
from benchmarks.reliability._searches import wait_for_epoch
from benchmarks.reliability._stored import DATABASE

Scenario = Callable[[Case], None]
SCENARIOS: dict[str, Scenario] = {}

_HANG_SECONDS = 600
_LOCK_SECONDS, _LONG_LOCK_SECONDS = 68, 480
_PATIENCE = ["--patience", "30"]
_SUSPEND_SECONDS = 150
_MOST_SILENT_SECONDS = 200
_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


def fault(name: str) -> Callable[[Scenario], Scenario]:
    """Enters a scenario under this name."""

    def enter(scenario: Scenario) -> Scenario:
        SCENARIOS[name] = scenario
        return scenario

    return enter


@fault("a worker is killed (kill -9)")
def worker_killed(case: Case) -> None:
    process = case.begin()
    os.kill(case.a_worker(process), signal.SIGKILL)
    case.finish(process)


@fault("a worker has no memory left (its address space is limited to what it has)")
def worker_out_of_memory(case: Case) -> None:
    process = case.begin()
    worker = case.a_worker(process)
    pages = int(Path(f"/proc/{worker}/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGESIZE")
    resource.prlimit(worker, resource.RLIMIT_AS, (limit, limit))
    case.finish(process)


@fault("a worker hangs (SIGSTOP)")
def worker_hangs(case: Case) -> None:
    process = case.begin()
    os.kill(case.a_worker(process), signal.SIGSTOP)
    case.finish(process, _HANG_SECONDS)


@fault("a training raises, once")
def training_raises_once(case: Case) -> None:
    _raising(case, "once")


@fault("every training raises")
def training_raises(case: Case) -> None:
    _raising(case, "always")


def _raising(case: Case, how_often: str) -> None:
    file = case.folder.with_suffix(".raise")
    case.variables["RELIABILITY_RAISE"] = str(file)
    process = case.begin()
    file.write_text(how_often)
    case.mends.append(lambda: file.unlink(missing_ok=True))
    case.finish(process)


@fault("the dispatcher is killed (kill -9)")
def dispatcher_killed(case: Case) -> None:
    process = case.begin()
    process.kill()
    case.finish(process)


@fault("Ctrl-C (SIGINT to all)")
def interrupted(case: Case) -> None:
    process = case.begin()
    signal_all(process.pid, signal.SIGINT)
    case.finish(process)


@fault("SIGTERM")
def terminated(case: Case) -> None:
    process = case.begin()
    process.terminate()
    case.finish(process)


@fault("the terminal is closed (SIGHUP), what is said goes to a file")
def terminal_closed(case: Case) -> None:
    _on_terminal(case, is_shown=False)


@fault("the terminal is closed (SIGHUP), with the live view on it")
def live_view_closed(case: Case) -> None:
    _on_terminal(case, is_shown=True)


def _on_terminal(case: Case, is_shown: bool) -> None:
    ours, theirs = pty.openpty()
    options: dict[str, Any] = {"stdin": theirs, "preexec_fn": partial(_take_terminal, theirs)}
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, theirs)
        if is_shown:
            said = stack.enter_context(os.fdopen(os.dup(theirs), "wb"))
            options |= {"stdout": theirs, "said": said}
        case.search.said.touch()
        with _read_out(ours):
            process = case.begin(**options)
    os.close(ours)  # the last one that holds it, as when a window is closed
    case.finish(process)


def _take_terminal(terminal: int) -> None:
    """Makes it this process's own: what is done to it reaches the process, also where this was begun under nohup."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@contextlib.contextmanager
def _read_out(terminal: int) -> Iterator[None]:
    """Reads meanwhile what is written to a terminal, as its window does: who writes would soon have to wait."""
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 2**16)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()


@fault("the disk is full")
def disk_full(case: Case) -> None:
    disk = SmallDisk(case.folder)
    case.leaving.append(disk.remove)
    process = case.begin()
    disk.fill()
    case.mends.append(disk.empty)
    case.finish(process)


@fault("the disk becomes read-only (the kernel has seen an error in it)")
def disk_read_only(case: Case) -> None:
    disk = SmallDisk(case.folder)
    case.leaving.append(disk.remove)
    process = case.begin()
    disk.fail()
    case.mends.append(disk.mend)
    case.finish(process)


@fault(f"another program locks the database for {_LOCK_SECONDS} s")
def locked_for_a_while(case: Case) -> None:
    _locked(case, _LOCK_SECONDS)


@fault("another program locks the database for longer than is waited for (--patience 30, where there is that)")
def locked_for_long(case: Case) -> None:
    if case.search.checkout.has_option(_PATIENCE[0]):
        case.search.words = [*case.search.words, *_PATIENCE]
    _locked(case, _LONG_LOCK_SECONDS)


def _locked(case: Case, seconds: float) -> None:
    process = case.begin()
    words = [sys.executable, "-c", _LOCK, str(case.folder / DATABASE), str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        case.strike()
        case.finish(process, seconds + _HANG_SECONDS)
        other.kill()


@fault(f"the machine sleeps for {_SUSPEND_SECONDS} s (SIGSTOP to all)")
def suspended(case: Case) -> None:
    process = case.begin()
    signal_all(process.pid, signal.SIGSTOP)
    time.sleep(_SUSPEND_SECONDS)
    signal_all(process.pid, signal.SIGCONT)
    case.finish(process)


@fault("a second dispatcher")
def second_dispatcher(case: Case) -> None:
    process = case.begin()
    second, _ = _second(case)
    case.facts["second"] = {"code": second.wait(60)} | said_since(_said_by_second(case), 0)
    case.finish(process)


@fault("a second dispatcher, once the first has been silent for long")
def taken_over(case: Case) -> None:
    process = case.begin()
    signal_all(process.pid, signal.SIGSTOP)
    began = time.monotonic()
    while time.monotonic() - began < _MOST_SILENT_SECONDS:
        second, works = _second(case)
        if works:
            break
        time.sleep(5)
    case.facts["taken_over_after"] = round(time.monotonic() - began)
    signal_all(process.pid, signal.SIGCONT)
    case.finish(process)
    case.facts["second"] = {"code": second.wait(_HANG_SECONDS)} | said_since(_said_by_second(case), 0)


@fault("a second dispatcher with --take-over")
def taken_over_at_once(case: Case) -> None:
    process = case.begin()
    second, _ = _second(case, "--take-over")
    case.finish(process)
    case.facts["second"] = {"code": second.wait(_HANG_SECONDS)} | said_since(_said_by_second(case), 0)


def _second(case: Case, *more: str) -> tuple[subprocess.Popen[Any], bool]:
    """Another dispatcher on the same study, once it works, or has ended."""
    with _said_by_second(case).open("wb") as file:
        second = case.search.start(*more, said=file)
    return second, wait_for_epoch(case.folder, second)


def _said_by_second(case: Case) -> Path:
    return case.folder.with_suffix(".second")
