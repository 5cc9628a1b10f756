"""A terminal that is closed, for real: what was at work is handed back, and nobody minds that nobody reads."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.cli import COMMAND, environment
from tests.helpers.running import SLOWER, descendants, left_alive, sql, states, wait_for_epoch
from tests.helpers.terminals import in_terminal, read_until

RUN = [*COMMAND, "run", "--trials", "50", "--workers", "1", *SLOWER]


def test_a_closed_terminal_ends_a_run_which_hands_its_trials_back(own_folder: Path) -> None:
    with in_terminal(RUN, own_folder) as (process, user):
        wait_for_epoch(own_folder, process, n_complete=0)
        its_own = descendants(process.pid)
        os.close(user)
        assert process.wait(timeout=60) == 130
    now = states(own_folder)
    assert "RUNNING" not in now
    assert now["WAITING"] >= 1
    assert sql(own_folder, "SELECT open FROM run_sessions") == [(None,)]
    assert left_alive(its_own) == []


TOLD = """
import os, signal, sys, time
from search.cli.interrupts import interruptible, terminable
from search.cli.streams import lasting_streams

def tell(text):
    os.write(3, (text + "\\n").encode())

def wait(seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stops:
        time.sleep(0.01)

stops = []
with lasting_streams():
    print("ready", flush=True)
"""

INTERRUPTIBLE = """
    with interruptible(lambda: stops.append(1)) as received:
        tell("waits")
        wait()
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        for stream in (sys.stdout, sys.stderr):
            print("nobody reads this" * 1000, file=stream, flush=True)
        tell(" ".join(signal.Signals(number).name for number in received))
        os.kill(os.getpid(), int(sys.argv[1]))
        tell("not reached")
"""

TERMINABLE = """
    with terminable():
        try:
            tell("waits")
            wait()
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGHUP)
            print("nobody reads this", flush=True)
            tell("cleared away")
"""


def told(program: str, folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and what it tells beside its terminal, which is closed as soon as it waits."""
    reader, writer = os.pipe()
    command = [sys.executable, "-c", f"import os\nos.dup2({writer}, 3)\n{TOLD}{program}", *arguments]
    with in_terminal(command, folder, keep=(writer,)) as (process, user), os.fdopen(reader) as said:
        os.close(writer)
        read_until(user, "ready")
        assert said.readline() == "waits\n"
        os.close(user)
        lines = said.read().splitlines()
        return process.wait(timeout=30), lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_only_the_second_of_a_kind_ends_it_at_once(own_folder: Path, number: signal.Signals) -> None:
    code, lines = told(INTERRUPTIBLE, own_folder, str(int(number)))
    assert lines == ["SIGHUP SIGHUP SIGTERM SIGINT"]
    assert code == 130


def test_what_is_half_done_is_cleared_away_though_it_hangs_up_twice(own_folder: Path) -> None:
    assert told(TERMINABLE, own_folder) == (0, ["cleared away"])


IGNORED = """
import os, signal
from search.cli.interrupts import interruptible, terminable
stops = []
with interruptible(lambda: stops.append(1)) as received:
    os.kill(os.getpid(), signal.SIGHUP)
with terminable():
    os.kill(os.getpid(), signal.SIGHUP)
print(stops, received)
"""


def test_a_hang_up_that_nohup_wants_ignored_is(own_folder: Path) -> None:
    command = ["nohup", sys.executable, "-c", IGNORED]
    done = subprocess.run(command, env=environment(own_folder), capture_output=True, text=True, check=False)
    assert done.stdout == "[] []\n"


DISOWNED = """
import os, signal, sys
from search.cli.streams import lasting_streams
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.setsid() if os.fork() == 0 else os._exit(0)
os.read(3, 1)
with lasting_streams():
    for stream in (sys.stdout, sys.stderr):
        print("nobody reads this", file=stream, flush=True)
open("done", "w").close()
"""


def test_what_outlives_its_terminal_goes_on(own_folder: Path) -> None:
    """As a disowned search does: it gets no signal, and finds that it speaks to nobody."""
    reader, writer = os.pipe()
    command = [sys.executable, "-c", f"import os; os.dup2({reader}, 3)\n{DISOWNED}"]
    with in_terminal(command, own_folder, keep=(reader,)) as (process, user):
        assert process.wait(timeout=30) == 0
        os.close(user)
        os.close(reader)
        os.write(writer, b"x")
        deadline = time.monotonic() + 30
        while not (own_folder / "done").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
    os.close(writer)
    assert (own_folder / "done").exists()
