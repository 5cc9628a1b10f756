"""A study of random search beside one of TPE, and candidates told apart or not."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import QUICK, call

pytestmark = pytest.mark.usefixtures("own_folder", "inline_engine")

ALIKE = ["run", "--trials", "4", *QUICK]


def test_studies_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert call([*ALIKE, "--study", "tpe"], capsys)[0] == 0
    assert call([*ALIKE, "--study", "random", "--sampler", "random", "--trials", "5"], capsys)[0] == 0
    assert call([*ALIKE, "--study", "longer", "--epochs", "2", "--trials", "1"], capsys)[0] == 0
    code, out, err = call(["compare", "tpe", "random", "longer", "--json"], capsys)
    assert code == 0, err
    tpe, random, longer = json.loads(out)
    assert [row["sampler"] for row in (tpe, random, longer)] == ["tpe", "random", "tpe"]
    assert [row["comparable"] for row in (tpe, random, longer)] == [True, True, False]
    code, out, _ = call(["compare", "tpe", "random", "--json"], capsys)
    tpe, random = json.loads(out)
    assert (tpe["n_compared"], random["n_compared"]) == (4, 4)
    assert random["best_after"] <= random["sustained_accuracy"]
    assert tpe["best_after"] == tpe["sustained_accuracy"]
    code, out, _ = call(["compare", "tpe", "random", "longer"], capsys)
    assert all(len(line) <= 88 for line in out.splitlines())
    assert "longer asked something else" in out
    code, _, err = call(["compare", "tpe", "a-step5"], capsys)
    assert (code, err) == (
        2,
        "mnist-search: 'tpe' is a study and a-step5 is not: compare studies, or compare candidates\n",
    )


def test_candidates_are_told_apart_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    """One that learns and one that hardly can are told apart by five seeds, two equally bad ones are not."""
    body = "layers: [conv: 4, maxpool: 2, conv: 6, gap, conv: {out: 10, kernel: 1, then: []}]\n"
    recipes = {
        "good": "epochs: 3, batch_size: 32, lr: 0.1",
        "bad": "epochs: 1, batch_size: 256, lr: 1.0e-6",
        "worse": "epochs: 1, batch_size: 256, lr: 1.1e-6",
    }
    for name, recipe in recipes.items():
        Path(f"{name}.yaml").write_text(f"{body}recipe: {{{recipe}}}\n")
        code, _, err = call(
            ["verify", f"{name}.yaml", "--dataset", "digits", "--sustain", "1", "--workers", "1"], capsys
        )
        assert code == 0, err
    code, out, _ = call(["compare", "bad.yaml", "good.yaml", "--json"], capsys)
    good, bad = json.loads(out)
    assert (good["name"], good["told_apart"]) == ("good", None)
    assert (bad["compared_with"], bad["told_apart"]) == ("good", True)
    assert bad["difference"] == pytest.approx(bad["sustained_accuracy"] - good["sustained_accuracy"])
    assert bad["difference_interval"][0] < bad["difference"] < bad["difference_interval"][1] < 0
    code, out, _ = call(["compare", "bad.yaml", "good.yaml"], capsys)
    assert "bad is " in out
    assert " points below good (95 %: " in out
    code, out, _ = call(["compare", "bad.yaml", "worse.yaml"], capsys)
    assert " cannot be told apart: difference " in out
    assert all(len(line) <= 80 for line in out.splitlines())
