"""Files in a bucket, of a server that speaks like S3."""

import io
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from optuna.artifacts import upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

from storage import artifact_bucket, artifact_location
from storage.errors import StorageError, StorageFailedError
from storage.store import Store
from tests.helpers.databases import new_study
from tests.helpers.servers import free_port


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def environment(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user of that server, and of no other: nothing of this machine's own is looked for."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(artifact_bucket, "_MAX_ATTEMPTS", 1)
    artifact_location._kept_place.cache_clear()
    yield
    post(f"{endpoint}/moto-api/reset", b"")


def post(url: str, data: bytes) -> None:
    urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": "text/plain"})).close()


@pytest.fixture
def client() -> Any:
    made = boto3.client("s3")
    made.create_bucket(Bucket="networks")
    return made


def keys(client: Any) -> list[str]:
    return [one["Key"] for one in client.list_objects_v2(Bucket="networks").get("Contents", [])]


def keep_a_file(store: Store, folder: Path) -> str:
    (folder / "file.txt").write_text("content")
    trial = new_study(store).ask()
    return upload_artifact(artifact_store=store.artifacts(), file_path=str(folder / "file.txt"), study_or_trial=trial)


def content(store: Store, number: str) -> bytes:
    with store.artifacts().open_reader(number) as file:
        return file.read()


@pytest.mark.parametrize(("asked", "prefix"), [("s3://networks/a/b/", "a/b/"), ("s3://networks", "")])
def test_files_are_under_the_prefix_and_found_by_whoever_opens_the_database(
    store: Store, tmp_path: Path, client: Any, asked: str, prefix: str
) -> None:
    client.put_object(Bucket="networks", Key="a/other", Body=b"of somebody else")
    assert store.artifact_location.settle(asked) == f"files: kept in {asked.rstrip('/')}"
    number = keep_a_file(store, tmp_path)
    assert set(keys(client)) == {"a/other", f"{prefix}{number}"}
    other = Store(str(store.url))
    assert other.artifact_location.settle(asked) is None
    assert content(other, number) == b"content"
    files = other.artifacts()
    files.write(number, io.BytesIO(bytes(range(256)) * 4096))
    assert content(store, number) == bytes(range(256)) * 4096
    files.remove(number)
    with pytest.raises(ArtifactNotFound):
        files.open_reader(number)
    assert keys(client) == ["a/other"]
    other.close()


def test_files_that_were_beside_the_database_are_found_when_they_were_copied(
    store: Store, tmp_path: Path, client: Any
) -> None:
    number = keep_a_file(store, tmp_path)
    with pytest.raises(
        StorageError, match=r"^--artifacts s3://networks/x: this database keeps its files in /.*, and 1"
    ):
        store.artifact_location.settle("s3://networks/x")
    client.upload_file(str(store.artifact_folder / number), "networks", f"x/{number}")
    assert store.artifact_location.settle("s3://networks/x") == "files: kept in s3://networks/x"
    (store.artifact_folder / number).unlink()
    assert content(store, number) == b"content"


@pytest.mark.parametrize("number", ["../a", "a/b", "", "/a"])
def test_what_is_no_number_is_no_key(store: Store, client: Any, number: str) -> None:
    store.artifact_location.settle("s3://networks/x")
    with pytest.raises(ArtifactNotFound, match="is not the number of a file"):
        store.artifacts().write(number, io.BytesIO(b"x"))
    assert keys(client) == []


def refusal(store: Store, asked: str = "s3://networks/x") -> StorageError:
    with pytest.raises(StorageError) as caught:
        store.artifact_location.settle(asked)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_bucket_that_is_not_there(store: Store) -> None:
    error = refusal(store)
    assert not isinstance(error, StorageFailedError)  # wrong use: nothing was begun
    assert str(error).startswith("there is no such bucket (s3://networks/x: ")
    assert str(error).endswith("): make it, or name another place with --artifacts")


def test_no_credentials(store: Store, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert str(refusal(store)) == (
        "there are no credentials for S3 (s3://networks/x: Unable to locate credentials): "
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )


def test_credentials_that_are_refused(store: Store, client: Any, endpoint: str) -> None:
    post(f"{endpoint}/moto-api/reset-auth", b"0")
    try:
        assert str(refusal(store)).startswith("S3 refuses these credentials (s3://networks/x: ")
    finally:
        post(f"{endpoint}/moto-api/reset-auth", b"inf")


def test_no_network(store: Store, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    for use in (
        lambda: store.artifact_location.settle("s3://networks/x"),
        lambda: artifact_bucket.ArtifactBucket("networks", "x").read("a-number"),
        lambda: artifact_bucket.ArtifactBucket("networks", "x").write("a-number", b"content"),
        lambda: artifact_bucket.ArtifactBucket("networks", "x").numbers(),
    ):
        with pytest.raises(
            StorageFailedError, match=r"^S3 does not answer \(s3://networks/x: .*\): see that"
        ) as caught:
            use()
        assert caught.value.passes


def test_a_bucket_that_went_away(store: Store, client: Any, tmp_path: Path) -> None:
    store.artifact_location.settle("s3://networks/x")
    client.delete_bucket(Bucket="networks")
    with pytest.raises(StorageFailedError, match=r"^there is no such bucket \(s3://networks/x: "):
        keep_a_file(store, tmp_path)


def test_the_extra_is_named_that_is_missing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert str(refusal(store)) == "s3://networks/x needs a package that is not installed: pip install -e '.[s3]'"
