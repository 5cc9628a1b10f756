"""The search as a user runs it: real processes, real workers, a real database."""

import os
import re
import signal
import subprocess
from itertools import accumulate
from pathlib import Path

import pytest

from models.candidate import Candidate
from search.study.outcomes import Outcome
from search.study.study import open_study
from storage.epochs import epochs_of
from storage.store import Store
from tests.helpers.cli import COMMAND, QUICK, call, environment, finish, start
from tests.helpers.running import SLOWER, left_alive, outcomes, sql, states, wait_for_epoch, workers_of
from trainer.data.digits import load_digits
from trainer.data.split import split_data
from trainer.training.train import Training


def test_a_run_ends_with_its_status_and_plain_progress(tmp_path: Path) -> None:
    code, out, err = finish(["run", "--trials", "3", "--workers", "2", *QUICK], tmp_path)
    assert code == 0, err
    assert "\x1b" not in out + err
    lines = err.splitlines()
    assert lines[0] == "data: the embedded digits (1,797 scans)"
    assert re.fullmatch(r"precision: (float32|bfloat16) \([\d.]+ ms a step, \w+ [\d.]+, measured\)", lines[1])
    assert lines[2:4] == [
        "starting 2 workers…",
        "study digits: 0 of 3 candidates done, 2 workers, 1 epoch each",
    ]
    assert lines[-1] == "3 of 3 candidates done"
    assert out.startswith(
        "study      digits: digits, fewer than 2,000 parameters, 1 epoch\ntrials     3 past the gate\n"
    )


def test_one_worker_of_three_slots_trains_each_candidate_as_if_it_were_alone(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--epochs", "3", "--pruner", "none", "--set", "dropout=0", "--precision", "float32"]
    code, _, err = call(["run", "--trials", "6", "--workers", "1", "--slots", "3", *QUICK, *more], capsys)
    assert code == 0, err
    lines = err.splitlines()
    assert lines[3] == "study digits: 0 of 6 candidates done, 1 worker, 3 epochs each"
    assert [line for line in lines if re.fullmatch("worker ready after .*: 1 worker, 3 slots", line)]
    study = open_study(Store("sqlite:///mnist-search.db"), "digits")
    data = split_data(load_digits(), "holdout")
    trained = study.trials(Outcome.TRAINED)
    assert len(trained) == 6
    for trial in trained:
        candidate = Candidate.from_dict(trial.user_attrs["candidate"])
        records = list(Training(candidate, data, trial.user_attrs["training_seed"]))
        kept = epochs_of(study.store.engine, trial._trial_id)
        assert [one["train_loss"] for one in kept] == [one.train_loss for one in records]
    assert _most_at_once(study.store) == 3


def _most_at_once(store: Store) -> int:
    """How many trials ran at the same time at most."""
    moments = [
        moment
        for begin, end in sql(Path(), "SELECT datetime_start, datetime_complete FROM trials WHERE state = 'COMPLETE'")
        for moment in ((begin, 1), (end, -1))
    ]
    return max(accumulate(change for _, change in sorted(moments)))


@pytest.mark.usefixtures("inline_engine")
def test_kill_9_in_the_middle_loses_nothing_and_leaves_nothing_running(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "--trials", "6", "--workers", "2", *SLOWER]
    process = start(arguments, own_folder)
    wait_for_epoch(own_folder, process, n_complete=2)
    workers = workers_of(process)
    assert workers
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finished_before = sql(own_folder, "SELECT trial_id, value FROM trial_values ORDER BY 1")
    completed = "SELECT e.* FROM epoch_records e JOIN trials USING (trial_id) WHERE state = 'COMPLETE' ORDER BY 1, 2"
    epochs_before = sql(own_folder, completed)
    assert states(own_folder)["RUNNING"] >= 1

    code, out, err = call(arguments, capsys)
    assert code == 0, err
    assert "RUNNING" not in states(own_folder)
    assert "WAITING" not in states(own_folder)
    counted = outcomes(own_folder)
    assert sum(counted.get(name, 0) for name in ("trained", "pruned", "diverged", "failed")) == 6
    assert out.splitlines()[1] == "trials     6 past the gate"
    finished = sql(own_folder, "SELECT trial_id, value FROM trial_values ORDER BY 1")
    assert finished[: len(finished_before)] == finished_before
    kept = {row[:2] for row in sql(own_folder, "SELECT * FROM epoch_records")}
    assert {row[:2] for row in epochs_before} <= kept
    assert left_alive(workers) == [], "workers must die with their dispatcher"


@pytest.mark.usefixtures("inline_engine")
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = start(["run", "--trials", "50", "--workers", "2", *SLOWER], own_folder)
    wait_for_epoch(own_folder, process, n_complete=1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted; what was finished is kept, the same command does the rest"
    assert "Traceback" not in err
    assert out.startswith("study      digits")
    now = states(own_folder)
    assert "RUNNING" not in now
    assert now["WAITING"] >= 1
    n_done = now["COMPLETE"]
    code, _, err = call(["run", "--trials", str(n_done + 1), *SLOWER], capsys)
    assert code == 0, err
    assert f"{n_done} of {n_done + 1} candidates done" in err
    assert outcomes(own_folder)["trained"] == n_done + 1


def test_two_dispatchers_on_one_study_are_refused(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = start(["run", "--trials", "50", "--workers", "1", *SLOWER], own_folder)
    wait_for_epoch(own_folder, process, n_complete=0)
    try:
        code, out, err = call(["run", "--study", "digits", "--trials", "50"], capsys)
        assert (code, out) == (2, "")
        assert f"process {process.pid} on " in err.splitlines()[-1]
        assert err.splitlines()[-1].endswith(", or name another study with --study")
        code, out, _ = call(["status"], capsys)
        assert code == 0
        assert "\nrunning    trial " in out
    finally:
        process.kill()
        process.communicate()


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
    assert "epoch 0.00/1" in shown.stdout


@pytest.mark.usefixtures("with_a_study", "inline_engine")
def test_a_run_with_nothing_left_to_do_says_how_to_ask_for_more(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["run", "--trials", "2", *QUICK], capsys)
    assert code == 0
    assert "\n3 of 3 candidates done\n" in err
    assert err.splitlines()[-1] == "study digits has its 3 candidates; ask for more with --trials"
    assert "trials     3 past the gate" in out
