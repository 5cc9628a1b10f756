"""`trials`: all trials of a study, sorted, chosen, as a table, CSV or JSON."""

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from search.study.outcomes import Outcome, outcome_of
from search.study.study import SearchStudy
from tests.helpers.cli import call
from tests.helpers.made_studies import made_study

N = 40


@pytest.fixture
def study(own_folder: Path) -> SearchStudy:
    return made_study(own_folder, N)


def listed(capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    code, out, err = call(["trials", "--json", *options], capsys)
    assert (code, err) == (0, "")
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_every_trial_is_listed_by_its_number(study: SearchStudy, capsys: pytest.CaptureFixture[str]) -> None:
    facts = listed(capsys)
    assert [one["trial"] for one in facts] == list(range(N))
    for one, trial in zip(facts, study.snapshot.all, strict=True):
        outcome = outcome_of(trial)
        assert one["outcome"] == outcome
        assert one["params"] == trial.user_attrs["params"]
        assert one["values"] == trial.params
        assert one["epochs"] == len(trial.intermediate_values)
        assert one["sustained_accuracy"] == (trial.value if outcome is Outcome.TRAINED else None)


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("accuracy", lambda one: -(one["sustained_accuracy"] or 0)),
        ("params", lambda one: one["params"]),
        ("macs", lambda one: one["macs"]),
        ("seconds", lambda one: -one["seconds"]),
        ("number", lambda one: one["trial"]),
    ],
)
@pytest.mark.usefixtures("study")
def test_sorted(sort: str, key: Any, capsys: pytest.CaptureFixture[str]) -> None:
    facts = listed(capsys, "--sort", sort)
    assert len(facts) == N
    assert [key(one) for one in facts] == sorted(map(key, facts))


def test_the_top_ones_are_the_most_accurate(study: SearchStudy, capsys: pytest.CaptureFixture[str]) -> None:
    values = sorted((trial.value or 0 for trial in study.trials(Outcome.TRAINED)), reverse=True)
    assert [one["sustained_accuracy"] for one in listed(capsys, "--top", "3")] == values[:3]
    sizes = sorted(trial.user_attrs["params"] for trial in study.snapshot.all)
    assert [one["params"] for one in listed(capsys, "--top", "3", "--sort", "params")] == sizes[:3]
    assert len(listed(capsys, "--top", "1000")) == N


def test_outcomes_are_chosen(study: SearchStudy, capsys: pytest.CaptureFixture[str]) -> None:
    for outcome in (Outcome.TRAINED, Outcome.PRUNED, Outcome.REJECTED):
        numbers = [trial.number for trial in study.trials(outcome)]
        assert numbers
        assert [one["trial"] for one in listed(capsys, "--outcome", outcome)] == numbers
    both = listed(capsys, "--outcome", "pruned", "--outcome", "rejected")
    assert {one["outcome"] for one in both} == {"pruned", "rejected"}
    assert listed(capsys, "--outcome", "running") == []


def test_what_runs_and_waits_is_listed_too(study: SearchStudy, capsys: pytest.CaptureFixture[str]) -> None:
    study.optuna.enqueue_trial({})
    study.optuna.enqueue_trial({})
    study.optuna.ask()
    assert [one["outcome"] for one in listed(capsys)[N:]] == ["running", "waiting"]
    code, out, _ = call(["trials"], capsys)
    assert code == 0
    assert out.splitlines()[-1].split() == [str(N + 1), "waiting", *"------", "0", "-"]


def test_the_table(study: SearchStudy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    trial = study.best()
    assert trial is not None
    code, out, err = call(["trials", "--top", "1"], capsys)
    assert (code, err) == (0, "")
    head, line = out.splitlines()
    assert head.split() == ["trial", "outcome", "params", "MACs", "RF", "sust.", "best", "held", "ep.", "s"]
    held = "yes" if trial.user_attrs["held"] else "no"
    params, best = f"{trial.user_attrs['params']:,}", f"{int(1e4 * (trial.value or 0) + 1e-6) / 100:.2f}%"
    assert line.split() == [str(trial.number), "trained", params, "0k", "-", best, best, held, "4", "9"]
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, call(["trials"], capsys)[1].splitlines())) <= 60


@pytest.mark.usefixtures("study")
def test_csv_has_a_column_for_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["trials", "--csv"], capsys)
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    facts = listed(capsys)
    assert len(rows) == N
    for row, one in zip(rows, facts, strict=True):
        assert int(row["trial"]) == one["trial"]
        assert row["outcome"] == one["outcome"]
        assert row["sustained_accuracy"] == (
            "" if one["sustained_accuracy"] is None else str(one["sustained_accuracy"])
        )
        assert float(row["lr"] or 0) == one["values"].get("lr", 0)


def test_a_study_without_trials(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_study(own_folder, 0)
    assert listed(capsys) == []
    assert call(["trials"], capsys)[1].split()[0] == "trial"
    assert call(["trials", "--csv"], capsys)[0] == 0


def test_five_thousand_trials_are_quick(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are read with a query a table; nothing is asked for each trial."""
    made_study(own_folder, 5_000)
    began = time.process_time()
    code, out, _ = call(["trials", "--sort", "accuracy"], capsys)
    assert time.process_time() - began < 5
    assert (code, len(out.splitlines())) == (0, 5_001)
    assert max(map(len, call(["status"], capsys)[1].splitlines())) <= 80
