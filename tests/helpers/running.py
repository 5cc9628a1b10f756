"""Runs in processes of their own: what they have stored so far, and which processes belong to them."""

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import QUICK

SLOWER = [*QUICK, "--set", "batch_size=4"]
"""Trainings long enough to be caught in the middle."""


def sql(folder: Path, query: str) -> list[Any]:
    with contextlib.closing(
        sqlite3.connect(f"file:{folder / 'mnist-search.db'}?mode=ro", uri=True, timeout=30)
    ) as database:
        return database.execute(query).fetchall()


def states(folder: Path) -> dict[str, int]:
    return dict(sql(folder, "SELECT state, COUNT(*) FROM trials GROUP BY state"))


def outcomes(folder: Path) -> dict[str, int]:
    query = "SELECT value_json, COUNT(*) FROM trial_user_attributes WHERE key = 'outcome' GROUP BY 1"
    return {json.loads(outcome): n for outcome, n in sql(folder, query)}


def wait_for_epoch(folder: Path, process: subprocess.Popen[str], n_complete: int) -> None:
    """Waits until a candidate is in training after `n_complete` were trained."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            now = states(folder)
        except sqlite3.OperationalError:  # no file or no tables yet
            now = {}
        if now.get("COMPLETE", 0) >= n_complete and now.get("RUNNING", 0):
            return
        time.sleep(0.1)
    pytest.fail("no candidate was trained in two minutes")


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The process numbers of a dispatcher's children."""
    return [pid for pid, parent in _parents().items() if parent == process.pid]


def descendants(pid: int) -> list[int]:
    """The process numbers of its children, their children, and so on."""
    parents = _parents()
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def _parents() -> dict[int, int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return parents


def left_alive(pids: Iterable[int], seconds: float = 30) -> list[int]:
    """Those that have not ended after so long at most."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
