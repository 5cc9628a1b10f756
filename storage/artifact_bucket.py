"""A bucket of artifacts: Amazon's S3, or what speaks like it."""

import io
import re
from functools import cached_property
from typing import Any

from optuna.artifacts import Boto3ArtifactStore

from storage.errors import StorageError, StorageFailedError
from storage.urls import parts_of, without_password

CONNECT_TIMEOUT_SECONDS = 10
_READ_TIMEOUT_SECONDS = 60
_MAX_ATTEMPTS = 3
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NO_CREDENTIALS = ("there are no credentials for S3", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", False)
_NO_BUCKET = ("there is no such bucket", "make it, or name another place with --artifacts", False)
_REFUSED = ("S3 refuses these credentials", "ask for the right to list, read and write there", False)
_AWAY = ("S3 does not answer", "see that the network and AWS_ENDPOINT_URL are right", True)
_OTHER = ("S3 failed", "see what it says", False)


class ArtifactBucket:
    """Files in a bucket, each under a prefix and its number. Region, endpoint and credentials are those of AWS_…"""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket = bucket
        self.prefix = prefix

    @classmethod
    def from_url(cls, url: str) -> "ArtifactBucket":
        """The bucket of `s3://BUCKET/PREFIX`. Raises StorageError for a name that no bucket has."""
        parts = parts_of(url)
        if parts is None or not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
            raise StorageError(
                f"--artifacts {without_password(url)}: write s3://BUCKET/PREFIX, in small letters, digits, - and ."
            )
        return cls(parts.netloc, parts.path.strip("/"))

    def __str__(self) -> str:
        return self.url

    @property
    def url(self) -> str:
        """By what a database knows it."""
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"

    def is_same(self, other: object) -> bool:
        """Whether both are one place."""
        return isinstance(other, ArtifactBucket) and other.url == self.url

    def begin(self) -> None:
        """Sees that the bucket may be used. Raises StorageError if not, or if nobody can say."""
        try:
            self._call(lambda: self._client.head_bucket(Bucket=self.bucket))
        except StorageFailedError as error:
            if error.passes:
                raise
            raise StorageError(str(error).removesuffix("; the same command goes on")) from None

    def require(self) -> None:
        """Nothing: what is wrong with a bucket is told by its first use."""

    def read(self, number: str) -> bytes:
        """The content of a file. Raises ArtifactNotFound if there is none, and StorageError if that fails."""
        content: bytes = self._call(lambda: self._store.open_reader(self._key(number)).read())
        return content

    def write(self, number: str, content: bytes) -> None:
        """Keeps a file, in the place of an earlier one. Raises StorageError if that fails."""
        self._call(lambda: self._store.write(self._key(number), io.BytesIO(content)))

    def remove(self, number: str) -> None:
        """Removes a file, if it is there. Raises StorageError if that fails."""
        self._call(lambda: self._store.remove(self._key(number)))

    def numbers(self) -> set[str]:
        """The files that are there. Raises StorageError if that fails."""

        def listed() -> set[str]:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._key(""))
            return {one["Key"].removeprefix(self._key("")) for page in pages for one in page.get("Contents", ())}

        found: set[str] = self._call(listed)
        return found

    def _key(self, number: str) -> str:
        return f"{self.prefix}/{number}" if self.prefix else number

    @cached_property
    def _store(self) -> Boto3ArtifactStore:
        return Boto3ArtifactStore(self.bucket, self._client)

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise StorageError(f"{self.url} needs a package that is not installed: pip install -e '.[s3]'") from None
        limits = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=_READ_TIMEOUT_SECONDS,
            retries={"total_max_attempts": _MAX_ATTEMPTS, "mode": "standard"},
        )
        return self._call(lambda: boto3.session.Session().client("s3", config=limits))

    def _call(self, action: Any) -> Any:
        """What the action returns; faults of S3 in one line, and files that are not there as Optuna has it."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return action()
        except (BotoCoreError, ClientError, Boto3Error, ValueError) as error:
            what, advice, passes = _kind_of_fault(error)
            said = " ".join(str(error).split())
            raise StorageFailedError(what, f"{self.url}: {said}", advice, passes) from error


def _kind_of_fault(error: Exception) -> tuple[str, str, bool]:
    """What is wrong, what to do, and whether waiting may help."""
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions as botocore

    if isinstance(error, S3UploadFailedError) and isinstance(error.__context__, Exception):
        return _kind_of_fault(error.__context__)
    no_credentials = botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.CredentialRetrievalError
    if isinstance(error, no_credentials):
        return _NO_CREDENTIALS
    if isinstance(error, (botocore.HTTPClientError, botocore.ConnectionError)):
        return _AWAY
    if not isinstance(error, botocore.ClientError):
        return _OTHER
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "NoSuchBucket" or status == 404:
        return _NO_BUCKET
    if status in (401, 403):
        return _REFUSED
    return _AWAY if status >= 500 or status == 429 else _OTHER
