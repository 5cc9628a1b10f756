"""A dashboard beside a search: there while it runs, and gone with it, however it ends."""

import os
import re
import signal
from pathlib import Path

import pytest

from search.dashboard import beside
from search.dashboard.access import Access
from search.dashboard.beside import dashboard_beside
from tests.helpers.cli import QUICK, call, start
from tests.helpers.dashboards import request, url_said
from tests.helpers.running import SLOWER, descendants, left_alive


def is_up(url: str) -> bool:
    try:
        return request(url, "GET", "/api/studies/1").status == 200
    except OSError:
        return False


def test_a_kill_9_of_the_search_ends_it_and_a_ctrl_c_does_not(tmp_path: Path) -> None:
    """Of a study that this very search begins. A Ctrl-C reaches the whole group; the search decides what ends."""
    process = start(["run", "--dashboard", "--trials", "200", "--workers", "1", *SLOWER], tmp_path)
    url = url_said(process)
    family = descendants(process.pid)
    niceness = os.getpriority(os.PRIO_PROCESS, process.pid)
    if niceness < 19:  # else nobody can step back any further
        [its_own] = [pid for pid in family if os.getpriority(os.PRIO_PROCESS, pid) > niceness]
        os.kill(its_own, signal.SIGINT)
    assert is_up(url)
    process.kill()
    _, err = process.communicate(timeout=60)
    assert left_alive(family) == []
    assert not is_up(url)
    assert "Traceback" not in err


@pytest.mark.usefixtures("own_folder", "inline_engine")
def test_it_ends_with_the_search(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a token too, if there is one for dashboards."""
    monkeypatch.setenv("MNIST_SEARCH_TOKEN", "a secret")
    code, _, err = call(["run", "--dashboard", "--trials", "1", *QUICK], capsys)
    assert code == 0
    [line] = [line for line in err.splitlines() if line.startswith("dashboard: ")]
    url = line.removeprefix("dashboard: ")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/dashboard/studies/1\?token=a\+secret", url)
    assert err.index(line) < err.index("study digits: ")
    with pytest.raises(ConnectionRefusedError):
        request(url, "GET", "/")
    monkeypatch.setenv("MNIST_SEARCH_TOKEN", "short")
    assert call(["run", "--dashboard", "--trials", "1", *QUICK], capsys)[0] == 2


def test_it_changes_the_study_as_the_command_does_and_ends_with_its_block(folder: Path) -> None:
    with dashboard_beside(f"sqlite:///{folder / 'mnist-search.db'}", "digits", Access()) as running:
        line = running.line()
        url = line.removeprefix("dashboard: ")
        assert request(url, "PUT", "/api/studies/1/note", '{"body": "hello", "version": 1}').status == 200
    assert not is_up(url)


def test_one_that_cannot_start_says_why_and_holds_nothing_up(tmp_path: Path) -> None:
    with dashboard_beside(f"sqlite:///{tmp_path}/no/x.db", "digits", Access()) as running:
        line = running.line()
    assert line == (
        f"dashboard: did not start (the folder {tmp_path}/no does not exist: make it, or name another with --storage); "
        "the search goes on without it"
    )


def test_one_that_takes_too_long_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dashboard_beside(f"sqlite:///{folder / 'mnist-search.db'}", "digits", Access()) as running:
        assert running.line(0.01) == "dashboard: did not start (not up after 0 s); the search goes on without it"
        assert not running._process.is_alive()
    assert beside._START_SECONDS == 60, "or a busy machine goes without it"
