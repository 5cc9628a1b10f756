"""Files of trials: one place for all of a database, which it names itself, and out of which nothing leads."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.artifacts import upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound
from sqlalchemy import text

from storage.artifact_folder import ArtifactFolder
from storage.artifacts import place_of
from storage.errors import StorageError, StorageFailedError
from storage.store import Store
from tests.helpers.databases import new_study, url_of


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the default of a server is."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def keep_a_file(store: Store, folder: Path) -> str:
    """A file of a new study; returns its number."""
    (folder / "file.txt").write_text("content")
    study = new_study(store, f"study {time.monotonic_ns()}")
    return upload_artifact(
        artifact_store=store.artifacts(), file_path=str(folder / "file.txt"), study_or_trial=study.ask()
    )


def content(store: Store, number: str) -> bytes:
    with store.artifacts().open_reader(number) as file:
        return file.read()


def refusal(store: Store, asked: str | None) -> str:
    with pytest.raises(StorageError) as caught:
        store.artifact_location.settle(asked)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.every_database
class TestLocation:
    def test_a_place_that_is_asked_for_is_found_by_whoever_opens_the_database(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = tmp_path / "shared folder" / "x"
        assert store.artifact_location.settle(str(place)) == f"files: kept in {place}"
        number = keep_a_file(store, tmp_path)
        monkeypatch.chdir(tmp_path)
        other = Store(str(store.url))
        assert content(other, number) == b"content"
        assert (place / number).read_text() == "content"
        for again in (None, str(place), place.as_uri(), "shared folder/x/"):
            assert other.artifact_location.settle(again) is None
        other.close()

    def test_another_place_is_refused_while_files_are_missing_there(self, store: Store, tmp_path: Path) -> None:
        store.artifact_location.settle(str(tmp_path / "one"))
        numbers = [keep_a_file(store, tmp_path) for _ in range(2)]
        assert refusal(store, str(tmp_path / "two")) == (
            f"--artifacts {tmp_path}/two: this database keeps its files in {tmp_path}/one, and 2 of them are not in "
            "that other place: leave the option out, or copy them all there and ask again"
        )
        assert store.artifacts().place.is_same(ArtifactFolder(tmp_path / "one"))
        (tmp_path / "one").rename(tmp_path / "two")  # the files themselves are what counts
        assert store.artifact_location.settle(str(tmp_path / "two")) == f"files: kept in {tmp_path}/two"
        assert [content(store, number) for number in numbers] == [b"content"] * 2

    def test_files_that_are_gone_are_not_missed(self, store: Store, tmp_path: Path) -> None:
        store.artifact_location.settle(str(tmp_path / "one"))
        (tmp_path / "one" / keep_a_file(store, tmp_path)).unlink()
        assert store.artifact_location.settle(str(tmp_path / "two")) == f"files: kept in {tmp_path}/two"

    def test_files_that_were_removed_by_the_dashboard_are_not_missed(self, store: Store, tmp_path: Path) -> None:
        store.artifact_location.settle(str(tmp_path / "one"))
        study = new_study(store)
        for value in (None, json.dumps(None)):
            store.optuna.set_study_system_attr(study._study_id, f"artifacts:{value}", value)
        assert store.artifact_location.settle(str(tmp_path / "two")) == f"files: kept in {tmp_path}/two"

    def test_a_folder_of_that_path_on_a_machine_that_does_not_share_it(self, store: Store, tmp_path: Path) -> None:
        place = tmp_path / "shared"
        store.artifact_location.settle(str(place))
        number = keep_a_file(store, tmp_path)
        place.rename(tmp_path / "elsewhere")
        not_seen = (
            f"the files of this database are kept in {place}, which is not seen from here: "
            "mount that folder, or go to a machine that has it"
        )
        for made in (False, True):
            if made:
                place.mkdir()
                (place / number).write_text("of somebody else")
            assert refusal(store, None) == not_seen
            files = store.artifacts()
            for use in (
                lambda files=files: files.open_reader(number),
                lambda files=files: files.write("a-number", io.BytesIO()),
                lambda files=files: files.remove(number),
            ):
                with pytest.raises(StorageError) as caught:
                    use()
                assert str(caught.value) == not_seen
        assert (place / number).read_text() == "of somebody else"

    @pytest.mark.parametrize("url", ["file:///etc", "gs://bucket/x", "nonsense", "file://host/x#1", "s3://Ü", "#", ""])
    def test_a_place_that_somebody_wrote_into_the_database(self, store: Store, url: str) -> None:
        """Without a mark no folder is looked into: a database may come from anybody."""
        with store.engine.begin() as connection:
            connection.execute(text("INSERT INTO artifact_location (id, url) VALUES (1, :url)"), {"url": url})
        with pytest.raises(StorageError) as caught:
            store.artifacts()
        assert str(caught.value) == (
            f"this database keeps its files in {url!r}, which this program does not know: update mnist-search"
        )

    def test_a_mark_that_is_not_there(self, store: Store) -> None:
        with store.engine.begin() as connection:
            connection.execute(text("INSERT INTO artifact_location (id, url) VALUES (1, 'file:///etc#0123')"))
        with pytest.raises(StorageError, match=r"^the files of this database are kept in /etc, which is not seen"):
            store.artifacts().open_reader("passwd")


@pytest.mark.parametrize("database_kind", ["postgresql"])
class TestOfAServer:
    @pytest.fixture
    def store(self, store: Store) -> Iterator[Store]:
        """Opened in the working folder, which the one of all tests was not."""
        opened = Store(str(store.url))
        yield opened
        opened.close()

    def test_the_default_is_the_working_folder_of_the_first_search(
        self, store: Store, working_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        place = working_folder / "mnist-search-artifacts"
        assert store.artifact_location.settle(None) == (
            f"files: kept in {place}, which every machine that works on this database must see; "
            "--artifacts URL names another place, now or later"
        )
        number = keep_a_file(store, tmp_path)
        monkeypatch.chdir(tmp_path)
        other = Store(str(store.url))
        assert other.artifact_location.settle(None) is None
        assert content(other, number) == b"content"
        other.close()

    def test_looking_settles_nothing_and_writing_does(self, store: Store, working_folder: Path, tmp_path: Path) -> None:
        with pytest.raises(ArtifactNotFound):
            store.artifacts().open_reader("a-number")
        assert list(working_folder.iterdir()) == []
        number = keep_a_file(store, tmp_path)
        with store.engine.connect() as connection:
            url = connection.execute(text("SELECT url FROM artifact_location")).scalar_one()
        assert url.startswith(f"{(working_folder / 'mnist-search-artifacts').as_uri()}#")
        assert content(store, number) == b"content"

    def test_files_of_an_older_program_are_looked_for_before_the_place_is_kept(
        self, store: Store, working_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """It had them in its working folder, and did not say where that was."""
        number = keep_a_file(store, tmp_path)
        with store.engine.begin() as connection:
            connection.execute(text("DELETE FROM artifact_location"))
        monkeypatch.chdir(tmp_path)
        other = Store(str(store.url))
        assert refusal(other, None).startswith(
            f"--artifacts {tmp_path}/mnist-search-artifacts: this database keeps its"
        )
        assert other.artifact_location.settle(str(working_folder / "mnist-search-artifacts"))
        assert content(other, number) == b"content"
        other.close()


class TestBesideAnSqliteFile:
    def test_it_moves_with_its_files(self, tmp_path: Path) -> None:
        (tmp_path / "first").mkdir()
        store = Store(url_of(tmp_path / "first" / "s.db"))
        assert store.artifact_location.settle(None) is None
        number = keep_a_file(store, tmp_path)
        for same in ("mnist-search-artifacts", str(store.artifact_folder)):
            assert store.artifact_location.settle(str(tmp_path / "first" / same)) is None
        store.close()
        (tmp_path / "first").rename(tmp_path / "second")
        moved = Store(url_of(tmp_path / "second" / "s.db"))
        assert content(moved, number) == b"content"
        with moved.engine.connect() as connection:
            assert connection.execute(text("SELECT COUNT(*) FROM artifact_location")).scalar() == 0
        moved.close()

    def test_another_place_is_refused_when_files_are_beside_it(self, store: Store, tmp_path: Path) -> None:
        keep_a_file(store, tmp_path)
        assert refusal(store, "elsewhere").startswith(
            f"--artifacts {tmp_path}/here/elsewhere: this database keeps its files in {store.artifact_folder}, and 1 of"
        )

    @pytest.mark.parametrize("number", ["../s.db", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "a\0b", ".hidden", "é"])
    def test_what_is_no_number_is_no_path(self, store: Store, tmp_path: Path, number: str) -> None:
        files = store.artifacts()
        files.write("a-number", io.BytesIO(b"content"))
        before = (tmp_path / "s.db").read_bytes()
        for use in (files.open_reader, files.remove, lambda n: files.write(n, io.BytesIO(b"x"))):
            with pytest.raises(ArtifactNotFound, match="is not the number of a file"):
                use(number)
        assert (tmp_path / "s.db").read_bytes() == before
        assert [path.name for path in store.artifact_folder.iterdir()] == ["a-number"]

    def test_a_file_that_is_gone_and_one_that_is_removed(self, store: Store) -> None:
        files = store.artifacts()
        files.write("one", io.BytesIO(b"first"))
        files.write("one", io.BytesIO(b"second"))
        assert content(store, "one") == b"second"
        files.remove("one")
        for use in (files.open_reader, files.remove):
            with pytest.raises(ArtifactNotFound):
                use("one")

    def test_a_folder_that_cannot_be_used(self, store: Store) -> None:
        store.artifact_folder.write_text("no folder")
        for use in (lambda: store.artifacts().write("a", io.BytesIO(b"x")), lambda: store.artifacts().open_reader("a")):
            with pytest.raises(StorageFailedError, match=r"^the folder of files cannot be used \(/.*\): see that"):
                use()
        assert refusal(store, "/proc/x").startswith("files cannot be kept in /proc/x (")


@pytest.mark.parametrize(
    "asked", ["", "gs://bucket/x", "http://host/x", "s3:/x", "x" * 257, "a\0b", "s3://", "s3://UPPER", "s3://b/x?y=1",
              "file://host/x", "file://x", "s3://b#x", "a\nb"],
)  # fmt: skip
def test_what_is_no_place(asked: str) -> None:
    with pytest.raises(StorageError, match=r"^--artifacts .*: write ") as caught:
        place_of(asked)
    assert str(caught.value).isprintable()
