"""A trial of a study shown, and trained again into a bundle."""

import json

import pytest

from tests.helpers.cli import call


@pytest.mark.usefixtures("with_a_study")
def test_show_and_train_of_a_trial(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.formats.onnx_files._PACKAGES", ("a_package_that_nobody_has",))
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

    code, out, err = call(["train", "best", "--epochs", "1", "--json", "--out", "model", "--no-int8"], capsys)
    assert code == 0, err
    trained = json.loads(out)
    assert trained["params"] == facts["params"]
    assert [row["epoch"] for row in trained["curves"]] == [1]
    exported = trained["exported"]
    assert exported["source"]["kind"] == "training"
    assert exported["trained_network"]["accuracy"] == pytest.approx(trained["sustained_accuracy"])
    assert {one["n_different"] for one in exported["measured"]} == {0}
