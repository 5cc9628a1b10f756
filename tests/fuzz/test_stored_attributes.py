"""A database of somebody else, whose attributes say anything: every command that reads it ends in words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.many_inputs import tried_on
from tests.helpers.outcomes import command
from tests.helpers.somebodys import (
    ATTRIBUTES,
    FILE,
    change_a_cell,
    change_json,
    change_the_schema,
    given_to,
    make_database,
)

SUBJECT = "stored attributes"
READING = (
    *(["status"], ["status", "--json"], ["show", "best"], ["show", "0", "--json"], ["show", "smallest"]),
    *(["compare", "best", "0", "a-step5"], ["compare", "digits"], ["compare", "best", "1", "--markdown"]),
    *(["report", "--out", "report.html"], ["export", "best", "--out", "out"], ["verify", "99"]),
)
RESUMING = ["run", "--trials", "3", "--study", "digits"]
HARM = ("<script>alert(1)", "<img src=x onerror", "<b>bold</b>")


@pytest.fixture(scope="module")
def database(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_database(searched, tmp_path_factory.mktemp("somebodys"))


def read_by(words: list[str], folder: Path) -> None:
    """Runs a command; a page that it writes holds nothing of somebody else's as a part of the page."""
    command(words, codes=(0, 1, 2))
    if words[0] == "report" and (folder / "report.html").exists():
        page = (folder / "report.html").read_text()
        assert not any(harm in page for harm in HARM)


@tried_on(25, 2_000, SUBJECT)
@given(st.data(), st.integers(1, 2), st.lists(st.sampled_from(READING), min_size=1, max_size=2))
def test_values_of_json(
    database: bytes, own_folder: Path, data: st.DataObject, n_changes: int, words: list[list[str]]
) -> None:
    with given_to(own_folder, database) as folder:
        for _ in range(n_changes):
            change_json(folder / FILE, data)
        for one in words:
            read_by(one, folder)


@pytest.mark.usefixtures("inline_engine")
@tried_on(5, 500, SUBJECT)
@given(st.data())
def test_a_search_that_is_to_go_on(database: bytes, own_folder: Path, data: st.DataObject) -> None:
    with given_to(own_folder, database) as folder:
        change_json(folder / FILE, data, ATTRIBUTES)
        command(RESUMING)


@tried_on(15, 1_000, "cells and tables of a database")
@given(st.data(), st.sampled_from(READING))
def test_any_cell(database: bytes, own_folder: Path, data: st.DataObject, words: list[str]) -> None:
    with given_to(own_folder, database) as folder:
        change_a_cell(folder / FILE, data)
        read_by(words, folder)


@tried_on(15, 800, "cells and tables of a database")
@given(st.data(), st.sampled_from([*READING, RESUMING]))
def test_any_table(database: bytes, own_folder: Path, data: st.DataObject, words: list[str]) -> None:
    with given_to(own_folder, database) as folder:
        change_the_schema(folder / FILE, data)
        read_by(words, folder)


@tried_on(10, 600, "cells and tables of a database")
@given(st.data(), st.sampled_from(READING))
def test_any_bytes_of_the_file(database: bytes, own_folder: Path, data: st.DataObject, words: list[str]) -> None:
    content = bytearray(database)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    with given_to(own_folder, bytes(content[:end])) as folder:
        read_by(words, folder)
