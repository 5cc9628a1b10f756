"""Case: a search that meets a fault, and what is written down of it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.reliability._searches import SMALL, Checkout, Search, end_all, members, wait_for_epoch, workers
from benchmarks.reliability._stored import (
    DATABASE,
    StoredTrial,
    lost_epochs,
    n_counted_twice,
    n_past_gate,
    n_running,
    results,
    stored,
    trained_again,
)

N_TRIALS = 8
RUN = ["--trials", str(N_TRIALS), "--epochs", "6", "--sustain", "2", "--workers", "2", *SMALL, "--set", "batch_size=16"]
DETERMINISTIC = ["--deterministic", "--window", "2"]
_EPOCHS_BEFORE = 5
_MOST_SECONDS = 240
_RAISED = re.compile(r"[\w.]+(Error|Exception|Interrupt)\b")
_USUAL = re.compile(
    r"(data: |precision: |worker ready|study \S+: \d+ of|\d+/\d+ trial \d+ (trained|pruned)|\d+ of \d+ candidates done)"
)


class Case:
    """One search in a folder of its own. A fault begins it, does its worst, and waits for its end."""

    def __init__(self, checkout: Checkout, folder: Path, is_deterministic: bool) -> None:
        self.folder = folder
        self.variables: dict[str, str] = {}
        words = [*RUN, *DETERMINISTIC] if is_deterministic else RUN
        self.search = Search(checkout, folder, words, self.variables)
        self.facts: dict[str, Any] = {}
        """What is told of this fault besides."""
        self.mends: list[Callable[[], None]] = []
        """What is to be done before the command is given again."""
        self.leaving: list[Callable[[], None]] = []
        """What is to be done at the very end."""
        self._moments: list[tuple[list[StoredTrial], int]] = []
        self._n_said = 0
        self._struck = 0.0

    def begin(self, **options: Any) -> subprocess.Popen[Any]:
        """Starts the search, and returns it once a few epochs are stored."""
        process = self.search.start(**options)
        if not wait_for_epoch(self.folder, process, _EPOCHS_BEFORE):
            raise SystemExit(f"the search did not begin: see {self.search.said}")
        self.strike()
        return process

    def strike(self) -> None:
        """The fault is now: what was stored and said before it is not its doing."""
        self._moments.append((stored(self.folder), self.search.notes.stat().st_size))
        self._n_said = self.search.said.stat().st_size
        self._struck = time.monotonic()

    def a_worker(self, process: subprocess.Popen[Any]) -> int:
        """One of its workers."""
        return workers(process.pid)[0]

    def finish(self, process: subprocess.Popen[Any], seconds: float = _MOST_SECONDS) -> None:
        """Waits for its end; one that does not end in time is killed, and so noted."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.facts["code"] = process.wait(seconds)
        self.facts["seconds"] = round(time.monotonic() - self._struck, 1)
        if process.returncode is None:
            end_all(process.pid)
            process.wait()
            self.facts["code"] = None
        time.sleep(1)
        self.facts["left_alive"] = len(members(process.pid))
        end_all(process.pid)
        self.facts |= said_since(self.search.said, self._n_said)

    def judge(self, expected: list[Any] | None) -> dict[str, Any]:
        """All that is written down, once the same command was given again, if there was something left to do."""
        with _copy(self.folder) as copy:
            at_end = stored(copy)
        self._moments.append((at_end, self.search.notes.stat().st_size))
        self.facts["running_left"] = n_running(at_end)
        for mend in self.mends:
            mend()
        if self.facts["code"] != 0 or n_past_gate(at_end) < N_TRIALS:
            self.facts["again"] = self._again()
        after, notes = stored(self.folder), self.search.notes.read_bytes()
        return self.facts | {
            "past_gate": n_past_gate(after),
            "failed": sum(trial.outcome == "failed" for trial in after),
            "running_at_end": n_running(after),
            "counted_twice": n_counted_twice(after),
            "lost": sum(len(lost_epochs(before, after)) for before, _ in self._moments),
            "trained_again": len(set().union(*(trained_again(*moment, notes) for moment in self._moments))),
            "equal": None if expected is None else results(after) == expected,
        }

    def _again(self) -> dict[str, Any]:
        n_said, process = self.search.said.stat().st_size, self.search.start()
        try:
            code: int | None = process.wait(_MOST_SECONDS)
        except subprocess.TimeoutExpired:
            end_all(process.pid)
            code = None
        return {"code": code} | said_since(self.search.said, n_said)


@contextlib.contextmanager
def _copy(folder: Path) -> Iterator[Path]:
    """A copy of the database, which can be read where the file itself cannot: on a disk that is full, or read-only."""
    with tempfile.TemporaryDirectory() as copy:
        for file in folder.glob(f"{DATABASE}*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, copy)
        yield Path(copy)


def said_since(file: Path, n_before: int) -> dict[str, Any]:
    """What was said since: its last lines that are not said of every search, and whether there was a traceback.

    Of a traceback the one line that says what was raised.
    """
    text = file.read_bytes()[n_before:].decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not _USUAL.match(line)]
    is_traceback = "Traceback (most recent call last)" in text
    if is_traceback:
        lines = [line for line in lines if _RAISED.match(line)] or lines
    return {"said": lines[-3:], "traceback": is_traceback}


def signal_all(session: int, number: signal.Signals) -> None:
    """Sends a signal to all processes of a session."""
    for pid in members(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
