"""`status` through the command line, against the database itself."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import call
from tests.helpers.running import outcomes, sql


def test_status_json_agrees_with_plain_sql(with_a_study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["status", "--json"], capsys)
    assert (code, err) == (0, "")
    facts, counted = json.loads(out), outcomes(with_a_study)
    assert {name: facts[name] for name in counted} == counted
    assert facts["n_past_gate"] == 3
    [(best, number)] = sql(
        with_a_study,
        "SELECT value, number FROM trials JOIN trial_values USING (trial_id) WHERE state = 'COMPLETE' "
        "ORDER BY value DESC LIMIT 1",
    )
    assert facts["best"]["sustained_accuracy"] == best
    if len({row[0] for row in sql(with_a_study, "SELECT value FROM trial_values")}) == 3:
        assert facts["best"]["trial"] == number
