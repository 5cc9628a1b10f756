"""`presets`, `compare` and warm starts, through the command line."""

import json
from pathlib import Path

import pytest

from models.presets import PRESETS
from models.spec.file import load_spec
from search.cli.lookup import find_study
from search.measures.words import percent
from tests.helpers.cli import QUICK, call

SPEC = "layers: [conv: 4, maxpool: 2, conv: 6, gap, conv: {out: 10, kernel: 1, then: []}]\nrecipe: {epochs: 2}\n"


@pytest.fixture(autouse=True)
def _with_a_spec(own_folder: Path) -> None:
    (own_folder / "mine.yaml").write_text(SPEC)


def test_presets_lists_all_with_their_counts(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["presets", "--json"], capsys)
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert {row["name"]: row["params"] for row in rows} == {n: p.reported_params for n, p in PRESETS.items()}
    code, out, _ = call(["presets"], capsys)
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "6,379,786" in out


def test_compare_without_a_storage_makes_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = call(["compare", "c-final", "a-step3", "mine.yaml", "--sort", "params", "--json"], capsys)
    assert code == 0
    assert [row["name"] for row in json.loads(out)] == ["mine", "a-step3", "c-final"]
    assert not (tmp_path / "mnist-search.db").exists()


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


def test_unknown_sort(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(["compare", "a-step3", "--sort", "beauty"], capsys)
    assert (code, err) == (2, "mnist-search: unknown --sort 'beauty': use accuracy, params, macs or name\n")


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


def test_a_space_file_is_read_as_its_page_writes_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """YAML 1.1 would take 4:16 for a number to the base of sixty."""
    (tmp_path / "ranges.yaml").write_text(
        "stem_width: 2:6\nbody_width: 2:8:2\ntransition_width: 2\nlr: 0.02:0.3:log\norder: bn-relu, relu-bn\n"
        "schedule: [step, onecycle]\nsecond_pool: false\nstem_depth: 1\nbody_depth: 1\n"
    )
    run = ["run", "--dataset", "digits", "--epochs", "1", "--sustain", "1", "--max-params", "2000", "--trials", "1"]
    code, _, err = call([*run, "--workers", "1", "--space", "ranges.yaml"], capsys)
    assert code == 0, err
    space = find_study("sqlite:///mnist-search.db", None).settings.space
    expected = {"stem_width": "2:6", "body_width": "2:8:2", "transition_width": "2", "lr": "0.02:0.3:log",
                "schedule": "step, onecycle", "second_pool": "false"}  # fmt: skip
    assert {name: space[name] for name in expected} == expected


def test_an_accuracy_is_never_rounded_up_past_a_target_it_missed() -> None:
    assert percent(0.99396667) == "99.39%"
    assert percent(0.994) == "99.40%"
    assert percent((0.9940 + 0.9940 + 0.9940) / 3) == "99.40%"
    assert percent(1.0) == "100.00%"
    assert percent(None) == "-"
