"""A trial of a study shown, exported, and trained again from the file that came of it."""

import json

import pytest

from tests.helpers.cli import call


@pytest.mark.usefixtures("with_a_study")
def test_show_and_export_and_train_of_a_trial(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["show", "best", "--json", "--check"], capsys)
    facts = json.loads(out)
    assert (code, err) == (0, "")
    assert sum(row["params"] for row in facts["layers"]) == facts["params"]
    assert facts["recounted"]["torch"] == f"{facts['params']:,} parameters"
    assert facts["recounted"]["fvcore"] == f"{facts['params']:,} parameters, {facts['macs']:,} MACs"
    assert [row["epoch"] for row in facts["curves"]] == [1]

    code, out, err = call(["show", "best", "--markdown"], capsys)
    assert (code, err) == (0, "")
    assert out.splitlines()[2] == "| # | layer | k | s | p | in | out | params | MACs | RF |"
    assert "| epoch | train loss |" in out

    code, out, err = call(["export", "best", "--json"], capsys)
    assert (code, err) == (0, "")
    exported = json.loads(out)
    assert exported["n_same"] == exported["n_images"] == 300
    assert exported["max_difference"] < 1e-4

    code, out, err = call(
        ["train", exported["spec"], "--epochs", "1", "--sustain", "1", "--json", "--dataset", "digits"], capsys
    )
    assert code == 0, err
    trained = json.loads(out)
    assert trained["params"] == facts["params"]
    assert trained["curves"][0]["epoch"] == 1
