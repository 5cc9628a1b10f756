"""A study that Optuna copied, or optuna-dashboard renamed: our rows stay behind, and every command works on it."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import pytest
from optuna.storages import RDBStorage

from search.dashboard.app import make_app
from search.dashboard.made_files import Kind, Made
from search.study.study import SearchStudy, open_study
from storage.store import Store
from tests.helpers.apps import call_app, get_json
from tests.helpers.cli import QUICK, call

pytestmark = pytest.mark.usefixtures("with_a_study", "inline_engine")

HERE, ELSEWHERE = "sqlite:///mnist-search.db", "sqlite:///elsewhere.db"


def copied_here() -> list[str]:
    optuna.copy_study(from_study_name="digits", from_storage=HERE, to_storage=HERE, to_study_name="copy")
    return ["--storage", HERE, "--study", "copy"]


def copied_elsewhere() -> list[str]:
    """Into a database that Optuna makes; the files of trials are in the same folder."""
    optuna.copy_study(from_study_name="digits", from_storage=HERE, to_storage=ELSEWHERE, to_study_name="copy")
    return ["--storage", ELSEWHERE, "--study", "copy"]


def renamed() -> list[str]:
    app = optuna_dashboard.wsgi(RDBStorage(HERE))
    assert call_app(app, "POST", "/api/studies/1/rename", body={"study_name": "copy"})[0] == 201
    return ["--storage", HERE, "--study", "copy"]


Copy = Callable[[], list[str]]
every_copy = pytest.mark.parametrize("copy", [copied_here, copied_elsewhere, renamed])


def facts(command: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code, out, err = call([*command, "--json"], capsys)
    assert code == 0, err
    return json.loads(out)  # type: ignore[no-any-return]


@every_copy
def test_a_copy_has_the_counts_and_the_cost_of_its_study(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    before = facts(["status"], capsys)
    where = copy()
    after = facts(["status", *where], capsys)
    assert (after["trained"], after["epochs_trained"]) == (3, 3)
    same = set(before) - {"study", "seconds", "core_seconds", "running", "interrupted"}
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    # As they were when the last of its trials ended.
    assert 0 < after["seconds"] <= before["seconds"]
    assert after["core_seconds"] == pytest.approx(before["core_seconds"])


@every_copy
def test_a_copied_trial_shows_what_optuna_keeps_of_it(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    number = facts(["status"], capsys)["best"]["trial"]
    [before] = facts(["show", str(number)], capsys)["curves"]
    where = copy()
    [after] = facts(["show", str(number), *where], capsys)["curves"]
    kept = ("epoch", "eval_accuracy", "train_accuracy")
    assert after == dict.fromkeys(before) | {key: pytest.approx(before[key]) for key in kept}
    code, out, err = call(["show", str(number), *where], capsys)
    assert code == 0, err
    [row] = [line.split() for line in out.splitlines() if line.startswith("    1 ")]
    assert [row[i] == "-" for i in range(7)] == [False, True, False, True, False, True, True]


@every_copy
@pytest.mark.parametrize(
    "command",
    [
        ["show"],
        ["compare", "best", "a-step5"],
        ["train", "--epochs", "1"],
        ["verify", "--workers", "1", "--seeds", "1", "--sustain", "1", "--epochs", "1"],
        ["export", "--no-int8"],
        ["report", "--out", "report.html"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_works_on_a_copy(copy: Copy, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    where = copy()
    code, _, err = call([*command, *where], capsys)
    assert code == 0, err


def test_the_report_of_a_copy_draws_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    where = copied_here()
    assert call(["report", *where, "--out", "report.html"], capsys)[0] == 0
    page = Path("report.html").read_text()
    assert 'id="figure-accuracy"' in page
    assert 'id="figure-loss"' not in page
    assert call(["report", "--study", "digits", "--out", "report.html"], capsys)[0] == 0
    assert 'id="figure-loss"' in Path("report.html").read_text()


@every_copy
def test_a_copy_goes_on(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    where = copy()
    before = facts(["status", *where], capsys)
    after = facts(["run", "--trials", "5", "--workers", "1", *QUICK, *where], capsys)
    assert (after["n_past_gate"], after["epochs_trained"]) == (5, 5)
    assert after["seconds"] > before["seconds"]
    assert after["core_seconds"] > before["core_seconds"]
    study = opened(where)
    spent = [t.user_attrs["active_seconds"] for t in study.optuna.get_trials() if "active_seconds" in t.user_attrs]
    assert spent == sorted(spent), "the clock goes on where it was"
    new = facts(["show", str(study.snapshot.all[-1].number), *where], capsys)["curves"]
    assert all(record["train_loss"] is not None for record in new)
    study.store.close()


@every_copy
def test_the_dashboard_shows_a_copy(copy: Copy) -> None:
    study = opened(copy())
    app, trial = make_app(study.store), study.best()
    assert trial is not None
    said = get_json(app, f"/api/studies/{study.study_id}")
    assert len(said["trials"]) == len(study.snapshot.all)
    files = {}
    for kind in (Kind.CURVES, Kind.EPOCHS, Kind.SPEC):
        path = f"/artifacts/{study.study_id}/{trial._trial_id}/{Made(trial._trial_id, kind).artifact_id}"
        code, files[kind] = call_app(app, "GET", path)
        assert code == 200
    [epoch] = csv.DictReader(io.StringIO(files[Kind.EPOCHS].decode()))
    assert (epoch["epoch"], epoch["train_loss"]) == ("1", "")
    assert float(epoch["eval_accuracy"]) == trial.intermediate_values[1]
    path = f"/artifacts/{study.study_id}/{Made(study.study_id, Kind.REPORT).artifact_id}"
    assert call_app(app, "GET", path)[0] == 200
    study.store.close()


def opened(where: list[str]) -> SearchStudy:
    return open_study(Store(where[1]), where[3])


def test_a_study_of_the_id_of_a_deleted_one_shows_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """As when `optuna delete-study` was used: its trials' epochs were printed under trials that the gate rejected."""
    first = facts(["status"], capsys)
    optuna.delete_study(study_name="digits", storage=HERE)
    given = [*QUICK, "--max-params", "150", "--trials", "1", "--set", "stem_width=2:16"]
    after = facts(["run", "--workers", "1", *given], capsys)
    assert after["rejected"] > 0
    assert after["seconds"] < first["seconds"] + 60
    study = opened(["", HERE, "", "digits"])
    assert study.study_id == 1
    for trial in study.snapshot.all:
        epochs = facts(["show", str(trial.number)], capsys)["curves"]
        assert [epoch["epoch"] for epoch in epochs] == sorted(trial.intermediate_values)
    assert after["epochs_trained"] == sum(len(trial.intermediate_values) for trial in study.snapshot.all) == 1
    study.store.close()
