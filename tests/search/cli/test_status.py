"""What `status` prints, and what it leaves out."""

import json
from pathlib import Path

import pytest

from tests.helpers.cli import call
from tests.helpers.made_studies import add_verification, made_study


def test_a_verification_that_was_gone_on_with_is_told_once(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = made_study(own_folder, 1)
    add_verification(study, 0, [0.995, 0.993])
    code, out, _ = call(["status"], capsys)
    assert code == 0
    assert "           too few seeds at 99.00%\n           3 more seeds are needed\n" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    add_verification(study, 0, [0.995, 0.993, 0.994, 0.9935, 0.9945])
    code, out, _ = call(["status"], capsys)
    assert code == 0
    assert out.count("proof ") == 1
    assert "over 5 seeds, 5 held\n           verified at 99.00%" in out
    code, out, _ = call(["status", "--json"], capsys)
    assert [one["n_seeds"] for one in json.loads(out)["verifications"]] == [2, 5]
