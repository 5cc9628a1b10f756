"""`report` through the command line."""

import re
from pathlib import Path

import pytest

from tests.helpers.cli import call
from tests.helpers.made_studies import made_study
from tests.helpers.pages import figures, shown_text


def test_a_real_study_through_the_command_line(with_a_study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["report", "--out", "out.html"], capsys)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"out\.html  4\.\d MiB\n", out)
    page = (with_a_study / "out.html").read_text()
    assert {"history", "pareto", "importances", "confusion", "loss"} <= set(figures(page))
    text = shown_text(page)
    assert "300 test images misread by one network of the search (its kept weights), on the test images" in text
    assert sorted(path.name for path in with_a_study.iterdir() if "html" in path.name) == ["out.html"]


def test_a_file_that_cannot_be_written(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_study(own_folder, 0)
    code, out, err = call(["report", "--out", "missing/report.html"], capsys)
    assert (code, out) == (2, "")
    assert err == (
        "mnist-search: missing/report.html cannot be written: No such file or directory; name another with --out\n"
    )
    (own_folder / "folder").mkdir()
    code, _, err = call(["report", "--out", "folder"], capsys)
    assert code == 2
    assert err == "mnist-search: folder cannot be written: Is a directory; name another with --out\n"
    assert list(own_folder.glob(".*")) == []
