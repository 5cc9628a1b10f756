"""--artifacts: where the files of a study's trials are, said once and kept in the database."""

import json
import re
from pathlib import Path

import pytest

from tests.helpers.cli import QUICK, call

RUN = ["run", "--trials", "1", *QUICK]


@pytest.fixture
def searched_elsewhere(own_folder: Path, inline_engine: None, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of files of a study whose database is in the working folder."""
    code, _, err = call([*RUN, "--artifacts", "shared/files"], capsys)
    assert code == 0, err
    assert f"files: kept in {own_folder}/shared/files\n" in err
    return own_folder / "shared" / "files"


def test_it_is_said_once(searched_elsewhere: Path, own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not (own_folder / "mnist-search-artifacts").exists()
    assert len([path for path in searched_elsewhere.iterdir() if not path.name.startswith(".")]) == 1
    code, _, err = call(["run", "--trials", "2", *QUICK], capsys)
    assert code == 0, err
    assert "files:" not in err
    assert len([path for path in searched_elsewhere.iterdir() if not path.name.startswith(".")]) == 2
    assert call(["export", "best", "--out", "bundle"], capsys)[0] == 0


def test_another_place_is_refused(
    searched_elsewhere: Path, own_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_SEARCH_ARTIFACTS", "other")
    code, out, err = call(RUN, capsys)
    assert (code, out) == (2, "")
    assert err == (
        f"mnist-search: --artifacts {own_folder}/other: this database keeps its files in {searched_elsewhere}, and "
        "1 of them are not in that other place: leave the option out, or copy them all there and ask again\n"
    )


def test_a_place_that_is_not_seen_hinders_only_what_needs_it(
    searched_elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    searched_elsewhere.rename(searched_elsewhere.with_name("away"))
    assert json.loads(call(["status", "--json"], capsys)[1])["trained"] == 1
    assert call(["show", "best"], capsys)[0] == 0
    assert call(["report", "--out", "report.html"], capsys)[0] == 0
    for command, told in (
        (["export", "best", "--out", "bundle"], r"the weights of trial \d+ cannot be read: "),
        (RUN, ""),
    ):
        code, _, err = call(command, capsys)
        assert code == 2
        not_seen = (
            f"the files of this database are kept in {searched_elsewhere}, which is not seen from here: "
            "mount that folder, or go to a machine that has it\n"
        )
        assert re.fullmatch(f"mnist-search: {told}{re.escape(not_seen)}", err)


def test_what_is_no_place_makes_nothing(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call([*RUN, "--artifacts", "gs://bucket/x"], capsys)
    assert (code, err) == (
        2, "mnist-search: --artifacts 'gs://bucket/x': write a folder, file:///FOLDER or s3://BUCKET/PREFIX\n"
    )  # fmt: skip
    assert not (own_folder / "mnist-search.db").exists()
