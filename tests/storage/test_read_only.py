"""A database that may not be written: reading it works, leaves nothing behind, and writing it is refused."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from search.dashboard.access import Access
from search.study.study import SearchStudy
from storage.errors import StorageError
from storage.private_copy import copy_database
from storage.store import Store
from tests.helpers.dashboards import request, serving
from tests.helpers.databases import as_version_1, new_study, url_of
from tests.helpers.made_studies import made_study

only_root = pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root may become another user")

AS_ANOTHER_USER = """
import contextlib, glob, io, json, os, sys
from search.cli.app import main

def outcome(command, url):
    out, err = io.StringIO(), io.StringIO()
    os.environ["MNIST_SEARCH_STORAGE"] = url
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(command.split())
        except SystemExit as stop:
            return stop.code, out.getvalue(), err.getvalue()

readable, protected, commands = sys.argv[1], sys.argv[2], sys.argv[3:]
answers = [[outcome(command, readable) for command in commands]]  # as root, who loads what `nobody` may not
os.setgid(65534)
os.setuid(65534)
answers.append([outcome(command, protected) for command in commands])
print(json.dumps(answers))
"""
READING = ["status --json", "show 0 --json", "compare 0 a-step5 --json", "compare digits", "presets --json"]
REPORT = "report --out {}/report.html"
WRITING = ["run --dataset digits", "verify 0", "train 0", "dashboard"]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that others may look into and not write, which pytest's are not; temporary files go to a part of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("temporary", "theirs"):
            (folder / part).mkdir()
        (folder / "temporary").chmod(0o777)
        monkeypatch.setenv("TMPDIR", str(folder / "temporary"))
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield folder


@pytest.fixture
def study(folder: Path) -> SearchStudy:
    """A study in a folder of somebody else."""
    made = made_study(folder / "theirs", 2)
    made.store.close()
    return made


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a folder, its content and owner."""
    return {str(p): (p.read_bytes(), p.stat().st_uid) for p in sorted(folder.rglob("*")) if p.is_file()}


def as_nobody(commands: list[str], folder: Path, for_root: str) -> list[list[Any]]:
    """Exit codes and outputs of commands, first for root and a database of its own, then for `nobody`."""
    urls = [url_of(folder / name / "mnist-search.db") for name in (for_root, "theirs")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER_USER, *urls, *commands],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(ran.stdout)  # type: ignore[no-any-return]


@only_root
@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_another_user_reads_what_its_owner_reads(folder: Path, mode: int) -> None:
    """In a folder that may be written SQLite would leave side files of that user's beside a file of the owner's."""
    (folder / "theirs").chmod(mode)
    before = state(folder / "theirs")
    commands = [*READING, REPORT.format(folder / "temporary")]
    shutil.copytree(folder / "theirs", folder / "copied")
    for_root, for_nobody = as_nobody(commands, folder, "copied")
    assert [code for code, _, _ in for_root] == [0] * len(commands)
    assert for_nobody == for_root
    assert state(folder / "theirs") == before
    assert [path.name for path in (folder / "temporary").iterdir()] == ["report.html"]


@only_root
@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_another_user_writes_nothing(folder: Path, mode: int) -> None:
    (folder / "theirs").chmod(mode)
    before = state(folder / "theirs")
    _, refused = as_nobody(WRITING, folder, "missing")  # for root they end early, and were loaded
    path = folder / "theirs" / "mnist-search.db"
    line = (
        f"mnist-search: {path} cannot be written: attempt to write a readonly database; name another with --storage\n"
    )
    assert refused == [[2, "", line]] * len(WRITING)
    assert state(folder / "theirs") == before


@pytest.fixture
def mounted(folder: Path) -> Iterator[Path]:
    """The folder `theirs`, seen through a read-only mount, which stops root as well."""
    there = folder / "mounted"
    there.mkdir()
    for command in (
        ["mount", "--bind", str(folder / "theirs"), str(there)],
        ["mount", "-o", "remount,ro,bind", str(there)],
    ):
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("nothing may be mounted here")
    yield there
    subprocess.run(["umount", there], check=True)


def names(store: Store) -> list[str]:
    return [study.study_name for study in store.optuna.get_all_studies()]


def test_a_read_only_mount(folder: Path, mounted: Path) -> None:
    original = Store(url_of(folder / "theirs" / "s.db"))
    new_study(original, "first")
    original.close()
    copied = Store(url_of(mounted / "s.db"), must_exist=True, for_reading=True)
    assert names(copied) == ["first"]
    assert copied.artifact_folder == mounted / "mnist-search-artifacts"
    copied.artifacts()
    assert not copied.artifact_folder.exists()
    assert len(list((folder / "temporary").iterdir())) == 1
    copied.close()
    assert list((folder / "temporary").iterdir()) == []
    with pytest.raises(StorageError, match="cannot be written: attempt to write a readonly database; name another"):
        Store(url_of(mounted / "s.db"))


def test_a_dashboard_that_changes_nothing_shows_it(folder: Path, mounted: Path) -> None:
    made_study(folder / "theirs", 1).store.close()
    with serving(mounted, access=Access(read_only=True)) as dashboard:
        assert dashboard.is_copy
        shown = request(dashboard.url, "GET", "/api/studies")
    assert [study["study_name"] for study in json.loads(shown.text)["study_summaries"]] == ["digits"]
    assert list((folder / "temporary").iterdir()) == []


def test_while_its_owner_writes_it(folder: Path, mounted: Path) -> None:
    """What was committed is in the log, and not in the file yet."""
    original = Store(url_of(folder / "theirs" / "s.db"))
    for name in ("first", "second"):
        new_study(original, name)
        assert (mounted / "s.db-wal").stat().st_size > 0
        copied = Store(url_of(mounted / "s.db"), for_reading=True)
        assert names(copied)[-1] == name
        copied.close()
    new_study(original, "third")  # nothing holds the owner up
    original.close()


@pytest.mark.parametrize("beside", [("-wal", "-shm"), ("-wal",)])
def test_after_its_owner_was_killed(folder: Path, mounted: Path, beside: tuple[str, ...]) -> None:
    """The file with its log, and with or without the index of that, which is worth nothing to others."""
    original = Store(url_of(folder / "living.db"))
    new_study(original, "first")
    for suffix in ("", *beside):
        shutil.copyfile(folder / f"living.db{suffix}", folder / "theirs" / f"s.db{suffix}")
    original.close()
    before = state(folder / "theirs")
    copied = Store(url_of(mounted / "s.db"), for_reading=True)
    assert names(copied) == ["first"]
    copied.close()
    assert state(folder / "theirs") == before


def test_tables_of_an_older_program(folder: Path, mounted: Path) -> None:
    original = Store(url_of(folder / "theirs" / "s.db"))
    new_study(original, "first")
    as_version_1(original)
    original.close()
    before = state(folder / "theirs")
    copied = Store(url_of(mounted / "s.db"), for_reading=True)
    with copied.engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM verifications")).scalar() == 0
    copied.close()
    assert state(folder / "theirs") == before


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"accuracy: 0.994\n" * 40, "is not an SQLite database:"), (None, "cannot be read: Is a directory;")],
)
def test_what_is_no_database(folder: Path, mounted: Path, content: bytes | None, fault: str) -> None:
    path = folder / "theirs" / "s.db"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        Store(url_of(mounted / "s.db"), for_reading=True)
    assert str(caught.value) == f"{mounted / 's.db'} {fault} name another with --storage"


def test_a_file_that_may_be_written_is_not_copied(tmp_path: Path, store: Store) -> None:
    new_study(store, "first")
    reader = Store(url_of(tmp_path / "s.db"), for_reading=True)
    new_study(store, "second")
    assert names(reader) == ["first", "second"]
    reader.close()


def test_no_copy_outlives_the_program(folder: Path, mounted: Path) -> None:
    """Nobody closes the stores of a command."""
    Store(url_of(folder / "theirs" / "s.db")).close()
    code = (
        "import sys; from storage.store import Store; kept = Store(sys.argv[1], for_reading=True); print(kept.optuna)"
    )
    arguments = [sys.executable, "-W", "error", "-c", code, url_of(mounted / "s.db")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    assert (ran.stdout.startswith("<storage."), ran.stderr) == (True, "")
    assert list((folder / "temporary").iterdir()) == []


def test_a_file_that_changes_while_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "s.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("CREATE TABLE t (x)")
    copy, n_copies = shutil.copyfile, []

    def disturbed(one: str, other: str) -> None:
        copy(one, other)
        n_copies.append(one)
        if len(n_copies) < n_disturbed:
            os.utime(source, ns=(0, len(n_copies)))

    monkeypatch.setattr(shutil, "copyfile", disturbed)
    n_disturbed = 3
    copy_database(source, target)
    assert (len(n_copies), target.read_bytes()) == (3, source.read_bytes())
    n_disturbed = 10**6
    with pytest.raises(
        StorageError, match=r"s\.db cannot be read: it changes all the time; try again, or name another"
    ):
        copy_database(source, target)
