"""`presets` through the command line."""

import json

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
