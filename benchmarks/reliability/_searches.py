"""A search as a user runs it, from any checkout of the program, and the processes that belong to it."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.reliability._stored import n_stored_epochs

ROOT = Path(__file__).parents[2]
INSERTED = Path(__file__).parent / "inserted"
PROGRAM = [sys.executable, "-c", "from search.cli import main; main()"]

SMALL = [
    "--dataset", "digits", "--precision", "float32", "--max-params", "2000", "--set", "stem_depth=1", "--set",
    "body_depth=1", "--set", "stem_width=2:6", "--set", "body_width=2:6", "--set", "transition_width=2:4", "--set",
    "n_expansions=0",
]  # fmt: skip
"""Options of a run whose networks train in a blink."""


@dataclass(frozen=True)
class Checkout:
    """A folder with the program's code."""

    folder: Path
    cache: Path
    """Where the program keeps what it works out once for a machine."""

    @property
    def commit(self) -> str:
        """Its commit, with a plus if files were changed since."""
        git = ["git", "-C", str(self.folder)]
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
        return commit.stdout.strip() + ("+" if changed.stdout else "")

    def has_option(self, option: str) -> bool:
        """Whether its `run` knows this option."""
        return any(f'"{option}"' in path.read_text() for path in (self.folder / "search" / "cli").glob("run*.py"))

    def environment(self) -> dict[str, str]:
        """The environment of its processes: its code, and none of the user's settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MNIST_SEARCH_")}
        paths = os.pathsep.join(map(str, (INSERTED, self.folder)))
        return {**kept, "PYTHONPATH": paths, "XDG_CACHE_HOME": str(self.cache), "OMP_NUM_THREADS": "1"}


@dataclass
class Search:
    """The command `run` with these words, in a folder of its own; started, ended and started again."""

    checkout: Checkout
    folder: Path
    words: Sequence[str]
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> Path:
        """The file in which workers note each epoch that they end."""
        return self.folder.with_suffix(".notes")

    def start(self, *more: str, said: IO[Any] | None = None, **options: Any) -> subprocess.Popen[Any]:
        """The command, in a session of its own. What it says on stderr is added to `said`, or the file `self.said`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {**self.checkout.environment(), "RELIABILITY_NOTES": str(self.notes), **self.variables}
        with contextlib.ExitStack() as stack:
            file = said if said is not None else stack.enter_context(self.said.open("ab"))
            given: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **options}
            words = [*PROGRAM, "run", *self.words, *more]
            return subprocess.Popen(
                words, cwd=self.folder, env=environment, stderr=file, start_new_session=True, **given
            )

    @property
    def said(self) -> Path:
        """The file with all that its commands have said."""
        return self.folder.with_suffix(".said")


def children(pid: int) -> list[int]:
    """Its living children."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def workers(pid: int) -> list[int]:
    """The worker processes of a dispatcher."""
    return [child for child in children(pid) if b"spawn_main" in _read(f"/proc/{child}/cmdline")]


def members(session: int) -> list[int]:
    """The living processes of a session, which is named after the process that began it."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        state, _, _, its_session, *_ = _read(str(stat)).rpartition(b")")[2].split() or [b"Z", b"", b"", b"0"]
        if state != b"Z" and int(its_session) == session:
            found.append(int(stat.parent.name))
    return found


def end_all(session: int) -> None:
    """Kills what is left of a session."""
    for pid in members(session):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for_worker(process: subprocess.Popen[Any], rng: random.Random, seconds: float = 60) -> int | None:
    """One of its workers, or the first to be started; None if it ends before."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if found := workers(process.pid):
            return rng.choice(found)
        time.sleep(0.01)
    return None


def wait_for_epoch(folder: Path, process: subprocess.Popen[Any], n: int = 1, seconds: float = 120) -> bool:
    """Waits until n epochs more are stored; returns whether they are, and not the process over or the time."""
    wanted, deadline = n_stored_epochs(folder) + n, time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if n_stored_epochs(folder) >= wanted:
            return True
        time.sleep(0.05)
    return False


def _read(path: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(path).read_bytes()
    return b""
