"""Storage URLs: whatever is written for one, it names a database or is refused in words, and its password stays out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL

from storage.artifacts import Place, place_of
from storage.store import Store
from storage.urls import engine_options, folder_of, kind_of, parse, with_driver
from tests.helpers.many_inputs import tried_on
from tests.helpers.odd_values import texts
from tests.helpers.outcomes import Line, outcome_of

SUBJECT = "URLs"
SECRET = "s3cr3t"
schemes = st.sampled_from([
    *("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite", "postgresql", "postgresql+psycopg", "postgres", "mysql"),
    *("mariadb", "mysql+pymysql", "mysql+nope", "oracle", "mssql", "http", "file", "s3", "SQLITE", "", "sqlite+", "+"),
]) | texts  # fmt: skip
places = st.sampled_from([
    *("", "h", f"u:{SECRET}@h", f"u:{SECRET}@h:5432", f"u:{SECRET}@h:port", f"u:{SECRET}@h:99999999"),
    *(f":{SECRET}@", "@@", "[::1]", "[::1", "127.0.0.1:1", ":1"),
]) | texts  # fmt: skip
paths = st.sampled_from([
    *("", "x.db", "/x.db", ":memory:", "../x.db", "none/x.db", "file:x?uri=true", "x.db?timeout=abc", "?"),
    *("x.db?detect_types=99999999999", "%00", "%2e%2e/x", "x.db#part", "a" * 300, "d/" * 500),
]) | texts  # fmt: skip
urls = st.one_of(
    st.tuples(schemes, places, paths).map(lambda parts: f"{parts[0]}://{parts[1]}/{parts[2]}"),
    st.tuples(schemes, paths).map(":".join),
    texts,
)


def opened(text: str) -> URL:
    """What a storage makes of a URL before it connects to a server; a file is made, and closed."""
    url = parse(text)
    engine_options(with_driver(url))
    if kind_of(url) == "sqlite" and not url.database.startswith("/"):  # type: ignore[union-attr]
        Store(text).close()
    else:
        folder_of(url)
    assert SECRET not in url.render_as_string()
    return url


@pytest.mark.usefixtures("own_folder")
@tried_on(30, 2_500, SUBJECT)
@given(urls)
def test_storages(text: str) -> None:
    found = outcome_of(opened, text)
    assert not isinstance(found, Line) or SECRET not in found


@tried_on(40, 4_000, SUBJECT)
@given(urls)
def test_places_of_artifacts(text: str) -> None:
    place: Place | Line = outcome_of(place_of, text)
    assert str(place)
    assert not isinstance(place, Line) or SECRET not in place


@pytest.mark.parametrize(
    "url",
    ["sqlite://host/x.db", "sqlite://:1/x.db", "sqlite:///x.db?timeout=abc", "sqlite:///x.db?detect_types=99999999999"],
)
def test_what_only_sqlalchemy_would_understand(own_folder: Path, url: str) -> None:
    assert outcome_of(parse, url) == (
        f"{url!r} says more than a file: write sqlite:///FILE.db, or sqlite:////FOLDER/FILE.db"
    )


def test_a_name_that_no_file_can_have() -> None:
    assert isinstance(outcome_of(opened, "sqlite:///x\0.db"), Line)


def test_a_file_name_that_is_no_utf_8() -> None:
    assert outcome_of(parse, "sqlite:///\udcff.db") == (
        "'sqlite:///\\udcff.db' is not a storage URL: write sqlite:///FILE.db, or a PostgreSQL or MySQL URL"
    )


@pytest.mark.parametrize(
    "text",
    [
        "file://[bold]/",
        "file://[::1/",
        "s3://[::1/x",
        f"file://u:{SECRET}@h/",
        f"http://u:{SECRET}@h/",
        "~nobody-has-that-name/x",
    ],
)
def test_places_that_are_no_urls(text: str) -> None:
    """Two of them ended in a traceback, and passwords were shown."""
    said = outcome_of(place_of, text)
    assert isinstance(said, Line)
    assert SECRET not in said


def test_a_password_of_a_file() -> None:
    for text in (f"sqlite://u:{SECRET}@h/", f"sqlite://u:{SECRET}@h/x.db"):
        said = outcome_of(parse, text)
        assert isinstance(said, Line)
        assert SECRET not in said
        assert "u:***@h" in said
