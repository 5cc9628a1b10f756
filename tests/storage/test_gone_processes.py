"""Which owners are seen to be gone: processes that ended, numbers used again, and containers that know better."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import processes
from storage.processes import Process, this_process
from storage.sessions import StudySession, is_open
from storage.store import Store
from tests.helpers.databases import url_of
from tests.helpers.processes import ended_process, noted_process

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of processes in /proc")


def test_this_process_is_not_gone() -> None:
    me = this_process()
    assert me.place is not None
    assert me.began is not None
    assert not me.is_gone()
    assert not Process(me.host, me.pid, me.place, None).is_gone(), "its number is all that is known of it"


def test_an_ended_process_is_gone() -> None:
    assert ended_process().is_gone()


def test_a_killed_process_is_gone_though_its_parent_does_not_ask_for_it() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE)
    noted = noted_process(process.pid)
    assert not noted.is_gone()
    process.kill()
    deadline = time.monotonic() + 10
    while not noted.is_gone() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert noted.is_gone()
    assert Path(f"/proc/{process.pid}").exists()
    process.communicate()


def test_a_process_of_the_same_number_that_began_later_is_another() -> None:
    me = this_process()
    assert me.began is not None
    assert Process(me.host, os.getppid(), me.place, me.began - 1).is_gone()
    assert Process(me.host, me.pid, me.place, me.began - 1).is_gone()


def test_a_number_that_no_process_can_have() -> None:
    assert Process(this_process().host, 2**40, this_process().place, 1).is_gone()


@pytest.mark.parametrize("elsewhere", ["place", "host", "no place"])
def test_nobody_is_seen_to_be_gone_elsewhere(elsewhere: str) -> None:
    dead = ended_process()
    host = "elsewhere" if elsewhere == "host" else dead.host
    place = {"place": "another boot pid:[1]", "no place": None}.get(elsewhere, dead.place)
    assert not Process(host, dead.pid, place, dead.began).is_gone()


def test_where_proc_does_not_tell_there_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, or where /proc is that of another namespace."""
    dead = ended_process()
    monkeypatch.setattr(os, "readlink", lambda _path: "1")
    assert this_process().place is None
    assert not dead.is_gone()


def test_two_containers_on_one_file_do_not_steal_from_each_other(
    store: Store, study_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As this process sees it in either of them: the same number, the same host name, another namespace."""
    first = StudySession(store.engine, study_id)
    real, place = processes._began, processes._place()
    monkeypatch.setattr(processes, "_place", lambda: f"{place} of another container")
    monkeypatch.setattr(processes, "_began", lambda name: (real(name) or 0) + 1)
    assert is_open(store.engine, study_id)
    monkeypatch.undo()
    first.require()
    first.end()


# Real namespaces

OWNER = """
import os, sys, time
from storage.errors import StudyBusyError
from storage.sessions import StudySession
from storage.store import Store
store = Store(sys.argv[1])
sys.stdin.readline()
try:
    session = StudySession(store.engine, 1)
except StudyBusyError as error:
    print(os.getpid(), error, flush=True)
else:
    print(os.getpid(), "owns it", flush=True)
    sys.stdin.readline()
    session.require()
    session.end()
"""


def _may_unshare() -> bool:
    may = shutil.which("unshare") is not None
    return may and subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode == 0


CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture
def containers(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Where processes are put that are to be killed at the end."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not _may_unshare(), reason="no namespaces may be made here")
def test_process_1_of_a_container_does_not_take_process_1_of_another_for_itself(
    store: Store, study_id: int, tmp_path: Path, containers: list[subprocess.Popen[str]]
) -> None:
    def work(container: subprocess.Popen[str]) -> str:
        assert container.stdin is not None
        assert container.stdout is not None
        container.stdin.write("\n")
        container.stdin.flush()
        return container.stdout.readline()

    command = [*CONTAINER, sys.executable, "-c", OWNER, url_of(tmp_path / "s.db")]
    for _ in range(2):
        containers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    first, second = containers
    assert work(first) == "1 owns it\n"
    assert work(second).startswith("1 process 1 on ")
    assert is_open(store.engine, study_id)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert is_open(store.engine, study_id), "what becomes of processes in there is not seen from here"
    third = StudySession(store.engine, study_id, take_over=True)
    third.end()
