"""`presets` through the command line."""

import json
from pathlib import Path

import pytest

from models.presets import KNOWN
from tests.helpers.cli import call


def test_presets_lists_all_with_their_counts(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["presets", "--json"], capsys)
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert {row["name"]: row["params"] for row in rows} == {n: p.reported_params for n, p in KNOWN.items()}
    code, out, _ = call(["presets"], capsys)
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "6,379,786" in out


def test_presets_shows_what_our_own_networks_were_verified_with(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(["presets"], capsys)
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert rows["ours-2995"] == ["ours", "2,995", "-", "-", "99.43%", "99.52%", "8", "of", "15"]
    assert rows["ours-7917"] == ["ours", "7,917", "-", "-", "99.57%", "99.67%", "10", "of", "10"]
    assert rows["a-step5"] == ["A", "7,752", "99.50%", "99.55%", "99.37%", "99.39%", "no"]
    _, out, _ = call(["presets", "--json"], capsys)
    facts = {row["name"]: row for row in json.loads(out)}
    ours = facts["ours-3789"]
    assert (ours["runs"], ours["n_held"], ours["verdict"]) == (15, 12, "verified")
    assert (ours["mean_interval"], ours["reported_accuracy"]) == ([0.99407, 0.99474], None)
    assert (facts["a-step5"]["runs"], facts["a-step1"]["runs"]) == (1, 0)


def test_compare_tells_our_verified_networks_apart(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["compare", "ours-2995", "ours-7917", "--json"], capsys)
    assert (code, err) == (0, "")
    best, other = json.loads(out)
    assert (best["name"], best["runs"], other["runs"], other["held"]) == ("ours-7917", 10, 15, False)
    assert (other["compared_with"], other["told_apart"]) == ("ours-7917", True)
