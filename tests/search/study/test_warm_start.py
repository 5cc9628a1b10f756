"""Candidates that a search is given to begin with."""

import json
from pathlib import Path

import pytest

from models.spec.file import load_spec
from tests.helpers.cli import QUICK, call

pytestmark = pytest.mark.usefixtures("mine", "inline_engine")


def test_warm_start_trains_the_given_first_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    run = ["run", "--workers", "1", *QUICK, "--warm-start", "mine.yaml"]
    assert call([*run, "--trials", "1"], capsys)[0] == 0
    assert call([*run, "--trials", "3"], capsys)[0] == 0
    code, out, _ = call(["show", "0", "--json"], capsys)
    facts = json.loads(out)
    assert code == 0
    assert facts["candidate"] == load_spec(Path("mine.yaml")).with_epochs(1).id
    assert facts["outcome"] == "trained"
    code, out, _ = call(["status", "--json"], capsys)
    status = json.loads(out)
    assert (status["trained"] + status["pruned"], status["failed"]) == (3, 0)


def test_warm_start_over_the_budget_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(["run", *QUICK, "--warm-start", "a-step3"], capsys)
    assert (code, err) == (
        2,
        "mnist-search: --warm-start a-step3: it has 5,050 parameters, the budget is fewer than 2,000\n",
    )
    code, _, err = call(["run", *QUICK, "--warm-start", "best"], capsys)
    assert code == 2
    assert "--warm-start takes a preset, a spec file, or `presets`" in err
