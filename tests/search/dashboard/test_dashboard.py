"""The dashboard: optuna-dashboard on a study of ours, over HTTP."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import QUICK, call, run_here, start

Served = tuple[subprocess.Popen[str], str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dashboard")
    wide = ["--set", "body_width=2:24"]
    run_here(["run", "--trials", "2", *QUICK, *wide], folder)
    return folder


@pytest.fixture(scope="module", params=[[], ["--read-only"]], ids=["", "read-only"])
def served(folder: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    port = free_port()
    process = start(["dashboard", "--port", str(port), *request.param], folder)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield url, bool(request.param)
    finally:
        process.terminate()
        process.communicate()


def _wait(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(300):
        assert process.poll() is None, process.communicate()
        try:
            get(f"{url}/api/studies")
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the dashboard did not answer in 30 s")


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def test_it_shows_our_study_and_takes_rejected_trials_for_infeasible(served: tuple[str, bool]) -> None:
    url, _ = served
    [study] = get(f"{url}/api/studies")["study_summaries"]
    assert study["study_name"] == "digits"
    trials = get(f"{url}/api/studies/{study['study_id']}")["trials"]
    assert trials
    for trial in trials:
        attrs = {attr["key"]: attr["value"] for attr in trial["user_attrs"]}
        infeasible = any(value > 0 for value in trial["constraints"])
        assert infeasible == (attrs["outcome"] == "rejected")


def test_read_only_refuses_every_change(served: tuple[str, bool]) -> None:
    url, read_only = served
    [study] = get(f"{url}/api/studies")["study_summaries"]
    note = json.dumps({"body": "hello", "version": 1}).encode()
    request = urllib.request.Request(
        f"{url}/api/studies/{study['study_id']}/note", note, {"Content-Type": "application/json"}, method="PUT"
    )
    if not read_only:
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 204
        return
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403
    assert refused.value.read() == b"this dashboard is read-only\n"


def test_a_port_that_is_taken(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, err = call(["dashboard", "--port", str(port)], capsys)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        f"mnist-search: cannot serve on 127.0.0.1:{port}: Address already in use; try another --port"
    )


@pytest.mark.usefixtures("own_folder")
def test_there_must_be_a_study(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(["dashboard"], capsys)
    assert code == 2
    assert err == (
        "mnist-search: nothing is stored at sqlite:///mnist-search.db yet: "
        "run `mnist-search run` first, or name --storage\n"
    )
