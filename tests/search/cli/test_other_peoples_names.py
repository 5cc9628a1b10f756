"""Names that steer a terminal, or look like marks of the library that prints tables: they are shown as they stand."""

import os
from pathlib import Path

import pytest

from search.study.study import SearchStudy
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.outcomes import command

NAME = "\x1b[2J\u202e[bold][/nothing]"
SHOWN = "\\x1b[2J\\u202e["


@pytest.fixture
def study(own_folder: Path) -> SearchStudy:
    """A verified one, by a name that Optuna takes as any other."""
    study = made_study(own_folder, 4, NAME)
    add_verification(study, 0, [0.991, 0.992, 0.993, 0.994, 0.995])
    made_study(own_folder, 3, "other").store.close()
    study.store.close()
    return study


@pytest.mark.parametrize(
    "words",
    [
        ["status", "--study", NAME],
        ["compare", NAME, "other"],
        ["status"],
        ["status", "--study", f"{NAME}?"],
    ],
    ids=["status", "compare", "several", "unknown"],
)
@pytest.mark.usefixtures("study")
def test_a_study(words: list[str]) -> None:
    ended = command(words)  # which sees to it that all is printable
    assert SHOWN in (ended.out + ended.err).replace(" ", "").replace("\n", "")  # a table folds it


@pytest.mark.usefixtures("study")
def test_a_report(own_folder: Path) -> None:
    ended = command(["report", "--out", "\x1b[31m.html", "--study", NAME])
    assert ended.out.startswith("\\x1b[31m.html  ")
    assert "[bold]" in (own_folder / "\x1b[31m.html").read_text()


def test_a_spec_file(own_folder: Path) -> None:
    path = own_folder / "[bold]\x1b[31m.yaml"
    path.write_text("layers: [conv: 4, gap, conv: {out: 10, kernel: 1, then: []}]\n")
    assert command(["show", path.name]).out.startswith("[bold]\\x1b[31m\n")
    assert "[bold]\\x1b[31m" in command(["compare", path.name, "a-step5"]).out.replace("\n", "")


@pytest.mark.usefixtures("study")
def test_a_report_takes_the_place_of_no_device(own_folder: Path) -> None:
    os.mkfifo(own_folder / "pipe")
    ended = command(["report", "--out", "pipe", "--study", "other"])
    assert (ended.code, ended.line) == (2, "pipe is a device or a pipe: name a file with --out")
    assert (own_folder / "pipe").is_fifo()
