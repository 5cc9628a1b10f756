"""`run --find smallest` as a user sees it: progress, status, report, and what is refused."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import QUICK, call

WIDE = [
    "--set",
    "stem_width=2:16",
    "--set",
    "body_width=2:16",
    "--set",
    "transition_width=2:12",
    "--max-params",
    "5000",
]
SMALLEST = ["run", "--find", "smallest", "--target", "0.1", "--margin", "0.01", *QUICK, *WIDE, "--set", "lr=0.2"]


@pytest.fixture
def found(own_folder: Path, inline_engine: None, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What is said and printed of a search that has lowered its budget."""
    code, out, err = call([*SMALLEST, "--trials", "6"], capsys)
    assert code == 0, err
    return out, err


def test_progress_and_status_speak_of_the_budget_and_the_front(
    found: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = found
    facts = json.loads(call(["status", "--json"], capsys)[1])
    assert facts["find"] == "smallest"
    assert facts["budget"] < facts["max_params"] == 5_000
    assert f"fewer than {facts['budget']:,} wanted now" in err
    lines = dict(line.split(maxsplit=1) for line in out.splitlines() if line and line[0] != " ")
    assert lines["budget"] == f"fewer than {facts['budget']:,} parameters from now on: the smallest is looked for"
    assert f"with {facts['front'][-1]['params']:,}" in lines["front"]
    assert "best" not in lines
    assert max(map(len, out.splitlines())) <= 80
    front = [(one["params"], one["sustained_accuracy"]) for one in facts["front"]]
    assert front == sorted(front)
    assert facts["smallest"]["params"] >= front[0][0]


def test_a_report_has_the_front_and_the_command_that_makes_it_again(
    found: tuple[str, str], own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["report", "--out", "r.html"], capsys)[0] == 0
    page = (own_folder / "r.html").read_text()
    assert "Each network that cleared the target by 1.00 points" in " ".join(page.split())
    assert "The front: each trained network that no smaller one beats" in page
    assert "--find smallest --margin 0.01" in " ".join(page.replace("\\", " ").split())


def test_the_smallest_at_the_target_are_verified_first(
    found: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    from search.study.study import open_study
    from search.verification.nominees import top_nominees
    from storage.store import Store

    study = open_study(Store("sqlite:///mnist-search.db"), "digits")
    smallest = study.smallest()
    assert smallest is not None
    [first] = top_nominees(study, 1, "answer", None)
    assert first.trial == smallest.number


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--find", "fastest"], "unknown --find 'fastest': use accuracy or smallest"),
        (["--find", "smallest", "--margin", "-1"], "--margin -1: give a fraction of 1, such as 0.0006"),
        (["--find", "smallest", "--margin", "nan"], "--margin nan: give a fraction of 1, such as 0.0006"),
    ],
)
def test_what_is_impossible_is_refused_in_a_line_and_nothing_is_made(
    words: list[str], said: str, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(own_folder.iterdir())
    code, out, err = call(["run", *words, *QUICK], capsys)
    assert (code, out, err.splitlines()[-1]) == (2, "", f"mnist-search: {said}")
    assert sorted(own_folder.iterdir()) == before


def test_what_a_study_looks_for_stays(found: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(["run", "--find", "accuracy", "--trials", "7"], capsys)
    assert code == 2
    assert "was begun with --find smallest, not accuracy" in err


def test_the_dashboard_s_note_has_the_budget_and_the_front(found: tuple[str, str]) -> None:
    from search.dashboard.study_note import study_note
    from search.report.winner import find_winner
    from search.study.study import open_study
    from storage.store import Store

    study = open_study(Store("sqlite:///mnist-search.db"), "digits")
    rows = [line for line in study_note(study, find_winner(study)).splitlines() if line.startswith("|")]
    [budget], [front] = ([row for row in rows if row.startswith(f"| {name} |")] for name in ("budget now", "front"))
    assert f"fewer than {study.budget():,} parameters" in budget
    assert front.count("numbers=") == len(study.front())


def test_nothing_smaller_is_an_end_and_no_error(
    own_folder: Path, inline_engine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--set", "stem_width=2,3", "--set", "body_width=2,3", "--set", "transition_width=2"]
    aim = ["--find", "smallest", "--target", "0.01", "--margin", "0"]
    code, out, err = call(["run", *aim, *QUICK, *few, "--trials", "200"], capsys)
    assert code == 0
    assert "the search is over: 300 draws in a row gave no new candidate under" in err
    assert "\nbudget     fewer than" in out
