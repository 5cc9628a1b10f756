"""The search as a user runs it: real processes, real workers, a real database."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import COMMAND, QUICK, environment, finish, start

SLOWER = [*QUICK, "--set", "batch_size=2"]
"""Trainings long enough to be caught in the middle."""


def sql(folder: Path, query: str) -> list[Any]:
    with sqlite3.connect(f"file:{folder / 'mnist-search.db'}?mode=ro", uri=True, timeout=30) as database:
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
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone meanwhile
            _state, parent, *_ = stat.read_text().rpartition(")")[2].split()
            children += [int(stat.parent.name)] * (int(parent) == process.pid)
    return children


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[int, str, str]]:
    """A folder with a small finished study, and what the run printed."""
    folder = tmp_path_factory.mktemp("searched")
    return folder, finish(["run", "--trials", "3", "--workers", "2", *QUICK], folder)


def test_a_run_ends_with_its_status_and_plain_progress(searched: tuple[Path, tuple[int, str, str]]) -> None:
    _, (code, out, err) = searched
    assert code == 0, err
    assert "\x1b" not in out + err
    lines = err.splitlines()
    assert lines[0] == "data: the embedded digits (1,797 scans)"
    assert re.fullmatch(r"precision: (float32|bfloat16) \([\d.]+ ms a step, \w+ [\d.]+, measured\)", lines[1])
    assert lines[2] == "study digits: 0 of 3 candidates done, 2 workers, 1 epochs each"
    assert lines[-1] == "3 of 3 candidates done"
    assert out.startswith(
        "study      digits: digits, fewer than 2,000 parameters, 1 epochs\ntrials     3 past the gate\n"
    )


def test_status_json_agrees_with_plain_sql(searched: tuple[Path, tuple[int, str, str]]) -> None:
    folder, _ = searched
    code, out, err = finish(["status", "--json"], folder)
    assert (code, err) == (0, "")
    facts, counted = json.loads(out), outcomes(folder)
    assert {name: facts[name] for name in counted} == counted
    assert facts["n_past_gate"] == 3
    [(best, number)] = sql(
        folder,
        "SELECT value, number FROM trials JOIN trial_values USING (trial_id) WHERE state = 'COMPLETE' "
        "ORDER BY value DESC LIMIT 1",
    )
    assert facts["best"]["sustained_accuracy"] == best
    if len({row[0] for row in sql(folder, "SELECT value FROM trial_values")}) == 3:
        assert facts["best"]["trial"] == number


def test_show_and_export_and_train_of_a_trial(searched: tuple[Path, tuple[int, str, str]]) -> None:
    folder, _ = searched
    code, out, err = finish(["show", "best", "--json", "--check"], folder)
    facts = json.loads(out)
    assert (code, err) == (0, "")
    assert sum(row["params"] for row in facts["layers"]) == facts["params"]
    assert facts["recounted"]["torch"] == f"{facts['params']:,} parameters"
    assert facts["recounted"]["fvcore"] == f"{facts['params']:,} parameters, {facts['macs']:,} MACs"
    assert [row["epoch"] for row in facts["curves"]] == [1]

    code, out, err = finish(["show", "best", "--markdown"], folder)
    assert (code, err) == (0, "")
    assert out.splitlines()[2] == "| # | layer | k | s | p | in | out | params | MACs | RF |"
    assert "| epoch | train loss |" in out

    code, out, err = finish(["export", "best", "--json"], folder)
    assert (code, err) == (0, "")
    exported = json.loads(out)
    assert exported["n_same"] == exported["n_images"] == 300
    assert exported["max_difference"] < 1e-4

    code, out, err = finish(
        ["train", exported["spec"], "--epochs", "1", "--sustain", "1", "--json", "--dataset", "digits"], folder
    )
    assert code == 0, err
    trained = json.loads(out)
    assert trained["params"] == facts["params"]
    assert trained["curves"][0]["epoch"] == 1


def test_kill_9_in_the_middle_loses_nothing_and_leaves_nothing_running(tmp_path: Path) -> None:
    arguments = ["run", "--trials", "6", "--workers", "2", *SLOWER]
    process = start(arguments, tmp_path)
    wait_for_epoch(tmp_path, process, n_complete=2)
    workers = workers_of(process)
    assert workers
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finished_before = sql(tmp_path, "SELECT trial_id, value FROM trial_values ORDER BY 1")
    epochs_before = sql(
        tmp_path, "SELECT e.* FROM epoch_records e JOIN trials USING (trial_id) WHERE state = 'COMPLETE' ORDER BY 1, 2"
    )
    assert states(tmp_path)["RUNNING"] >= 1

    code, out, err = finish(arguments, tmp_path)
    assert code == 0, err
    assert "RUNNING" not in states(tmp_path)
    assert "WAITING" not in states(tmp_path)
    counted = outcomes(tmp_path)
    assert sum(counted.get(name, 0) for name in ("trained", "pruned", "diverged", "failed")) == 6
    assert out.splitlines()[1] == "trials     6 past the gate"
    assert (
        sql(tmp_path, "SELECT trial_id, value FROM trial_values ORDER BY 1")[: len(finished_before)] == finished_before
    )
    kept = {row[:2] for row in sql(tmp_path, "SELECT * FROM epoch_records")}
    assert {row[:2] for row in epochs_before} <= kept
    assert not [pid for pid in workers if is_alive(pid)], "workers must die with their dispatcher"


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    arguments = ["run", "--trials", "50", "--workers", "2", *SLOWER]
    process = start(arguments, tmp_path)
    wait_for_epoch(tmp_path, process, n_complete=1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted; what was finished is kept, the same command does the rest"
    assert "Traceback" not in err
    assert out.startswith("study      digits")
    now = states(tmp_path)
    assert "RUNNING" not in now
    assert now["WAITING"] >= 1
    n_done = now["COMPLETE"]
    code, _, err = finish(["run", "--trials", str(n_done + 1), "--workers", "1", *SLOWER], tmp_path)
    assert code == 0, err
    assert f"{n_done} of {n_done + 1} candidates done" in err.splitlines()[2]
    assert outcomes(tmp_path)["trained"] == n_done + 1


def test_two_dispatchers_on_one_study_are_refused(tmp_path: Path) -> None:
    process = start(["run", "--trials", "50", "--workers", "1", *SLOWER], tmp_path)
    wait_for_epoch(tmp_path, process, n_complete=0)
    try:
        code, out, err = finish(["run", "--study", "digits", "--trials", "50"], tmp_path)
        assert (code, out) == (2, "")
        assert f"process {process.pid} on " in err.splitlines()[-1]
        assert err.splitlines()[-1].endswith("stop it first, or name another study with --study")
        code, out, _ = finish(["status"], tmp_path)
        assert code == 0
        assert "\nrunning    trial " in out
    finally:
        process.kill()
        process.communicate()


def test_a_worker_that_is_killed_fails_its_trial_and_is_replaced(tmp_path: Path) -> None:
    process = start(["run", "--trials", "3", "--workers", "1", *SLOWER], tmp_path)
    wait_for_epoch(tmp_path, process, n_complete=1)
    [worker, *_] = [pid for pid in workers_of(process) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(worker, signal.SIGKILL)
    _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    counted = outcomes(tmp_path)
    assert counted["failed"] == 1
    assert counted["trained"] + counted.get("pruned", 0) == 2
    [(reason,)] = sql(
        tmp_path,
        "SELECT r.value_json FROM trial_user_attributes r JOIN trial_user_attributes o USING (trial_id) "
        "WHERE r.key = 'reason' AND o.key = 'outcome' AND o.value_json = '\"failed\"'",
    )
    assert json.loads(reason) == "its worker ended with exit code -9"


def test_a_live_view_is_drawn_on_a_terminal(tmp_path: Path) -> None:
    """On a pseudo-terminal 80 columns wide: the view is there, and no line is wider."""
    command = " ".join([*map(repr, COMMAND), "run", "--trials", "2", "--workers", "1", *QUICK])
    shown = subprocess.run(
        ["script", "-qec", f"stty cols 80 rows 24; {command}", "/dev/null"],
        cwd=tmp_path,
        env={**environment(tmp_path), "TERM": "xterm"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout
    assert "\x1b[" in shown.stdout
    assert "best " in shown.stdout
    assert "epoch 0/1" in shown.stdout
