"""`mnist-search dashboard` as a process: where it listens, what it says, and how it ends."""

import http.client
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from search.dashboard.access import Access
from search.dashboard.opening import Dashboard
from search.dashboard.server import DEFAULT_PORT
from tests.helpers.browser import until
from tests.helpers.cli import call, start
from tests.helpers.dashboards import request, serving


@contextmanager
def begun(arguments: list[str], folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command as a process of its own, and what it says until it has said its address."""
    process = start(["dashboard", *arguments], folder)
    assert process.stderr is not None
    said: list[str] = []
    try:
        for line in process.stderr:
            said.append(line)
            if line.endswith("(Ctrl-C ends it)\n"):
                break
        yield process, said
    finally:
        process.kill()
        process.communicate()


def test_a_taken_default_port_is_passed_over_and_ctrl_c_ends_it_at_once(folder: Path) -> None:
    with socket.socket() as taken:
        # Of connections that are over a port is free again at once, as it is for the server.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: is_bound(taken), 120)  # a test beside this one may have it for a while
        with begun([], folder) as (process, said):
            match = re.fullmatch(rf"port {DEFAULT_PORT} is taken: this one is on (\d+)\n", said[0])
            assert match
            url = f"http://127.0.0.1:{match[1]}/dashboard/studies/1"
            assert said[1:] == [f"{url}  (Ctrl-C ends it)\n"]
            assert request(url, "GET", "/api/studies").status == 200
            assert request(url, "GET", "/").headers["location"] == "/dashboard/studies/1"
            with closing(http.client.HTTPConnection("127.0.0.1", int(match[1]), timeout=20)) as kept_alive:
                kept_alive.request("GET", "/api/meta")
                kept_alive.getresponse().read()
                ended_by(process, signal.SIGINT)


def is_bound(taken: socket.socket) -> bool:
    with suppress(OSError):
        taken.bind(("127.0.0.1", DEFAULT_PORT))
        taken.listen()
        return True
    return False


def test_a_polite_kill_ends_it_as_cleanly(folder: Path) -> None:
    arguments = ["--port", str(free_port()), "--token", "a secret", "--read-only", "--study", "digits"]
    with begun(arguments, folder) as (process, [said]):
        assert said.endswith("/dashboard/studies/1?token=a+secret  (Ctrl-C ends it)\n")
        assert request(said.split()[0], "GET", "/dashboard").status == 401
        ended_by(process, signal.SIGTERM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ended_by(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Ends it, and looks at its last words."""
    before = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "interrupted; what was finished is kept, the same command does the rest\n"
    assert time.monotonic() - before < 10


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    code, out, err = call(["dashboard", *arguments], capsys)
    assert (code, out) == (2, "")
    assert err.startswith("mnist-search: ")
    assert err.count("\n") == 1
    return err.removeprefix("mnist-search: ").rstrip()


@pytest.fixture
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in ("MNIST_SEARCH_STORAGE", "MNIST_SEARCH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("in_folder")
def test_a_port_that_was_asked_for_and_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(["--port", str(port)], capsys)
    assert line == f"cannot serve on 127.0.0.1:{port}: Address already in use; try another --port"


@pytest.mark.usefixtures("in_folder")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--host no.such.invalid --read-only", "cannot serve on no.such.invalid:8080: .+; try another --host"),
        ("--host 203.0.113.7 --read-only", "cannot serve on 203.0.113.7:8080: Cannot assign .+; try another --host"),
        (f"--host {'a' * 70} --read-only", "cannot serve on a+:8080: .+; try another --host"),
        ("--host 0.0.0.0", "--host 0.0.0.0 serves beyond this machine: add --read-only, or --token auto, .+"),
        ("--token short", "--token: a token has at least 8 characters; `--token auto` makes one"),
        ("--allow-host a:b", "--allow-host a:b: give a name alone, such as mybox.example"),
        ("--port 0", "Invalid value for '--port': .+"),
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_what_is_refused(arguments: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(text, refused(arguments.split(), capsys))


@pytest.mark.usefixtures("in_folder")
def test_open_shows_the_address_to_a_browser_that_may_take_its_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser blocks until the dashboard has answered it, and long after."""
    opened: list[str] = []
    seen, enough = threading.Event(), threading.Event()

    def browse(url: str) -> None:
        opened.append(url)
        place = urlsplit(url)
        assert request(url, "GET", f"{place.path}?{place.query}").status == 303
        seen.set()
        enough.wait()

    serve = Dashboard.serve

    def serve_until_seen(dashboard: Dashboard) -> None:
        def stop() -> None:
            seen.wait(20)
            dashboard.stop()

        threading.Thread(target=stop).start()
        serve(dashboard)

    monkeypatch.setattr("webbrowser.open", browse)
    monkeypatch.setattr(Dashboard, "serve", serve_until_seen)
    monkeypatch.setenv("MNIST_SEARCH_TOKEN", "auto")
    code, out, err = call(["dashboard", "--open", "--port", str(free_port())], capsys)
    enough.set()
    assert (code, out) == (0, "")
    assert opened == [err.split()[0]]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/dashboard/studies/1\?token=[\w-]{20,}", opened[0])


def test_several_are_served_at_once(folder: Path) -> None:
    with serving(folder) as dashboard, ThreadPoolExecutor(16) as visitors:
        asked = [visitors.submit(request, dashboard.url, "GET", "/api/studies/1") for _ in range(48)]
        assert {one.result().status for one in asked} == {200}


def test_ipv6(folder: Path) -> None:
    try:
        dashboard = Dashboard(f"sqlite:///{folder / 'mnist-search.db'}", None, Access(host="::1"), 0)
    except Exception as error:
        pytest.skip(f"no IPv6 here: {error}")
    thread = threading.Thread(target=dashboard.serve)
    thread.start()
    try:
        assert dashboard.url.startswith("http://[::1]:")
        assert request(dashboard.url, "GET", "/api/studies").status == 200
    finally:
        dashboard.stop()
        thread.join()
