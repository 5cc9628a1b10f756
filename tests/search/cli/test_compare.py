"""`compare` of candidates through the command line."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import call


def test_compare_without_a_storage_makes_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = call(["compare", "c-final", "a-step3", "mine.yaml", "--sort", "params", "--json"], capsys)
    assert code == 0
    assert [row["name"] for row in json.loads(out)] == ["mine", "a-step3", "c-final"]
    assert not (tmp_path / "mnist-search.db").exists()


pytestmark = pytest.mark.usefixtures("mine")


def test_compare_shows_what_train_found(capsys: pytest.CaptureFixture[str]) -> None:
    train = ["train", "mine.yaml", "--dataset", "digits", "--sustain", "1"]
    results = []
    for seed in ("0", "1"):
        code, out, _ = call([*train, "--seed", seed, "--json"], capsys)
        assert code == 0
        results.append(json.loads(out))
    code, out, _ = call(["compare", "mine.yaml", "a-step3", "--json"], capsys)
    assert code == 0
    mine = next(row for row in json.loads(out) if row["name"] == "mine")
    assert (mine["runs"], mine["on"], mine["epochs"]) == (2, "digits test", 2)
    mean = (results[0]["sustained_accuracy"] + results[1]["sustained_accuracy"]) / 2
    assert mine["sustained_accuracy"] == pytest.approx(mean)
    assert mine["gap"] == pytest.approx((results[0]["gap"] + results[1]["gap"]) / 2)

    code, out, _ = call(["compare", "mine.yaml", "a-step3", "--markdown"], capsys)
    assert out.splitlines()[0].startswith("| name | params | MACs |")
    assert out.splitlines()[1].startswith("| :-- | --: | --: |")
    code, out, _ = call(["compare", "mine.yaml", "a-step3"], capsys)
    assert all(len(line) <= 80 for line in out.splitlines())


def test_unknown_sort(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(["compare", "a-step3", "--sort", "beauty"], capsys)
    assert (code, err) == (2, "mnist-search: unknown --sort 'beauty': use accuracy, params, macs or name\n")
