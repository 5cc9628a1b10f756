"""The database: how it is opened, what is refused, and what two processes may do to each other."""

import io
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from storage.errors import StorageError
from storage.migrations import VERSION
from storage.store import ARTIFACT_FOLDER, Store
from storage.tables import SchemaVersion
from storage.urls import BUSY_TIMEOUT_SECONDS
from tests.helpers.databases import new_study, url_of


def refusal(url: str, must_exist: bool = False) -> str:
    with pytest.raises(StorageError) as caught:
        Store(url, must_exist)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# How it is opened


def pragmas(connection: sqlite3.Connection) -> dict[str, Any]:
    names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
    return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


WANTED = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 2_000, "synchronous": 1}


def test_every_connection_is_set_up(store: Store) -> None:
    assert BUSY_TIMEOUT_SECONDS == 60
    seen: list[dict[str, Any]] = []

    def look() -> None:
        with store.engine.connect() as outer, store.engine.connect() as inner:
            for connection in (outer, inner):
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                seen.append(pragmas(driver))

    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [WANTED] * 4


def test_optunas_own_session_is_set_up_too(store: Store) -> None:
    new_study(store)
    session = store.optuna.scoped_session()
    values = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in WANTED}
    store.optuna.remove_session()
    assert values == WANTED


def test_the_second_opening_is_like_the_first(tmp_path: Path, store: Store) -> None:
    new_study(store, "kept")
    again = Store(url_of(tmp_path / "s.db"), must_exist=True)
    assert [study.study_name for study in again.optuna.get_all_studies()] == ["kept"]
    with again.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        assert pragmas(driver) == WANTED
    again.close()


def test_artifacts_lie_beside_the_database(tmp_path: Path, store: Store) -> None:
    assert store.folder == tmp_path
    assert store.artifact_folder == tmp_path / ARTIFACT_FOLDER == tmp_path / "mnist-search-artifacts"
    files = store.artifacts()
    assert not store.artifact_folder.exists()
    files.write("a-number", io.BytesIO(b"content"))
    assert [path.read_bytes() for path in store.artifact_folder.iterdir()] == [b"content"]


def test_artifacts_lie_beside_the_file_that_a_link_leads_to(tmp_path: Path, store: Store) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link.db").symlink_to(tmp_path / "s.db")
    linked = Store(url_of(tmp_path / "elsewhere" / "link.db"))
    linked.artifacts().write("a-number", io.BytesIO(b"content"))
    linked.close()
    assert [path.read_bytes() for path in (tmp_path / ARTIFACT_FOLDER).iterdir()] == [b"content"]
    assert store.artifacts().open_reader("a-number").read() == b"content"


def test_a_relative_url_lies_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite:///here.db")
    assert store.folder == tmp_path
    assert (tmp_path / "here.db").is_file()
    store.close()


# What is refused


@pytest.mark.parametrize("url", ["nonsense", "", "my.db", "foo://x/y", "sqlite+foo:///x.db", "postgresql://u@h:port/x"])
def test_a_malformed_url(url: str) -> None:
    assert refusal(url) == f"{url!r} is not a storage URL: write sqlite:///FILE.db, or a PostgreSQL or MySQL URL"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_url_without_a_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(url) == f"{url!r} names no file: write sqlite:///FILE.db"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    for must_exist in (False, True):
        assert refusal(url_of(folder / "s.db"), must_exist) == (
            f"the folder {folder} does not exist: make it, or name another with --storage"
        )
    assert not folder.exists()


def test_a_folder_that_cannot_be_written() -> None:
    assert refusal("sqlite:////proc/s.db") == (
        "/proc/s.db cannot be written: unable to open database file; name another with --storage"
    )


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert refusal(url_of(tmp_path)) == (
        f"{tmp_path} cannot be written: unable to open database file; name another with --storage"
    )


@pytest.mark.parametrize("content", [b"accuracy: 0.994\n", b"\0" * 5000, b"SQLite format 3\0 but no more"])
def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert refusal(url_of(path)) == f"{path} is not an SQLite database: name another with --storage"
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


AS_ANOTHER_USER = """
import os, sys
import sqlalchemy.dialects.sqlite.pysqlite  # while it may still be read
from storage.errors import StorageError
from storage.store import Store
os.setgid(65534)
os.setuid(65534)
for url in sys.argv[1:]:
    try:
        Store(url)
    except StorageError as error:
        print(error)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others may look into, which pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root may become another user")
def test_what_another_user_may_not_write(open_folder: Path) -> None:
    """A file and folders of ours, as seen by `nobody`; root itself may write everywhere."""
    Store(url_of(open_folder / "ours.db")).close()
    hidden = open_folder / "hidden"
    hidden.mkdir(0o700)
    shared = open_folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    Store(url_of(shared / "ours.db")).close()  # here SQLite can make its side files, and finds out late
    paths = [
        *(open_folder / "ours.db", open_folder / "new.db", hidden / "s.db", hidden / "deep" / "s.db"),
        shared / "ours.db",
    ]
    other = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER_USER, *map(url_of, paths)], capture_output=True, text=True, check=True
    )
    cannot = "cannot be written: {}; name another with --storage"
    assert other.stdout.splitlines() == [
        f"{paths[0]} " + cannot.format("attempt to write a readonly database"),
        f"{paths[1]} " + cannot.format("unable to open database file"),
        f"{paths[2]} " + cannot.format("unable to open database file"),
        f"the folder {hidden / 'deep'} does not exist: make it, or name another with --storage",
        f"{paths[4]} " + cannot.format("attempt to write a readonly database"),
    ]
    assert sorted(open_folder.iterdir()) == [hidden, open_folder / "ours.db", shared]


@pytest.mark.parametrize("name", ["été 7.db", "C:\\runs\\a.db", "a b%3Fc.db", "100%25 #1.db"])
def test_a_file_is_named_as_it_was_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{name}"
    assert refusal(url, must_exist=True).startswith(f"nothing is stored at {url} yet: ")


def test_nothing_is_stored_yet(tmp_path: Path) -> None:
    url = url_of(tmp_path / "s.db")
    assert refusal(url, must_exist=True) == (
        f"nothing is stored at {url} yet: run `mnist-search run` first, or name --storage"
    )
    assert list(tmp_path.iterdir()) == []


def open_at_once(urls: list[str], barrier: Any, answers: Any) -> None:
    for url in urls:
        barrier.wait()
        try:
            Store(url).close()
        except Exception as error:
            answers.put(f"{type(error).__name__}: {error}")
        else:
            answers.put("opened")


def test_processes_that_begin_a_database_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    urls = [url_of(tmp_path / f"{number}.db") for number in range(4)]
    barrier, answers = context.Barrier(3), context.Queue()
    processes = [context.Process(target=open_at_once, args=(urls, barrier, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [answers.get(timeout=60) for _ in range(3 * len(urls))] == ["opened"] * 3 * len(urls)
    for process in processes:
        process.join()
    for url in urls:
        store = Store(url, must_exist=True)
        with Session(store.engine) as session:
            assert session.query(SchemaVersion.version).all() == [(VERSION,)]
        store.close()
