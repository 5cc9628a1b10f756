"""`train` through the command line."""

import pytest

from tests.helpers.cli import call

pytestmark = pytest.mark.usefixtures("mine")


def test_train_prints_every_epoch_and_an_analysis(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["train", "mine.yaml", "--dataset", "digits", "--sustain", "2"], capsys)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["epoch", "loss", "train", "test", "loss", "test", "accuracy", "lr", "s"]
    assert [line.split()[0] for line in lines[1:3]] == ["1/2", "2/2"]
    assert "/300 (" in lines[1]
    assert [line.split()[0] for line in lines[4:] if line[0] != " "] == ["target", "results", "analysis"]
    assert "mine: 332 parameters, 1,497 training images" in err
    assert all(len(line) <= 80 for line in lines), lines
