"""A folder of artifacts: beside an SQLite file, or one that all machines of a study see."""

import io
import secrets
from pathlib import Path
from urllib.parse import unquote

from optuna.artifacts import FileSystemArtifactStore

from storage.errors import StorageError, StorageFailedError
from storage.faults import disk_fault
from storage.urls import parts_of, without_password

_MARK = ".mnist-search-"


class ArtifactFolder:
    """Files in a folder, each under its number.

    A folder that a database names has a mark in it, whose name the database knows: a folder of the same path on a
    machine that does not share it is no such folder, and neither is one that somebody else's database points to.
    """

    def __init__(self, path: Path, mark: str | None = None) -> None:
        self.path = path
        self._mark = mark

    @classmethod
    def from_url(cls, url: str) -> "ArtifactFolder":
        """The folder of a `file://` URL, with its mark if any. Raises StorageError for one of another machine."""
        parts = parts_of(url)
        if parts is None or parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query:
            raise StorageError(
                f"--artifacts {without_password(url)}: write file:///FOLDER, with three slashes, or the folder alone"
            )
        return cls(Path(unquote(parts.path)), parts.fragment or None)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def is_marked(self) -> bool:
        """Whether it is known by a mark."""
        return self._mark is not None

    @property
    def url(self) -> str:
        """By what a database knows it."""
        return f"{self.path.as_uri()}#{self._mark}"

    def is_same(self, other: object) -> bool:
        """Whether both are one path."""
        return isinstance(other, ArtifactFolder) and other.path == self.path

    def begin(self) -> None:
        """Makes the folder, and marks it. Raises StorageError if that cannot be."""
        self._mark = secrets.token_hex(8)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / f"{_MARK}{self._mark}").touch()
        except OSError as error:
            raise StorageError(
                f"files cannot be kept in {self.path} ({error.strerror or error}): name another place with --artifacts"
            ) from None

    def require(self) -> None:
        """Raises StorageError unless this machine sees the folder."""
        if self._mark is not None and not (self.path / f"{_MARK}{self._mark}").is_file():
            raise StorageError(
                f"the files of this database are kept in {self.path}, which is not seen from here: "
                "mount that folder, or go to a machine that has it"
            )

    def read(self, number: str) -> bytes:
        """The content of a file. Raises ArtifactNotFound if there is none, and StorageError if that cannot be said."""
        self.require()
        try:
            with FileSystemArtifactStore(self.path).open_reader(number) as file:
                return file.read()
        except OSError as error:
            raise self._failed(error) from error

    def write(self, number: str, content: bytes) -> None:
        """Keeps a file, in the place of an earlier one. Raises StorageError if that fails."""
        self.require()
        try:
            self.path.mkdir(exist_ok=True)  # that beside a database is made when it is needed
            FileSystemArtifactStore(self.path).write(number, io.BytesIO(content))
        except OSError as error:
            raise self._failed(error) from error

    def remove(self, number: str) -> None:
        """Removes a file. Raises ArtifactNotFound if there is none, and StorageError if that fails."""
        self.require()
        try:
            FileSystemArtifactStore(self.path).remove(number)
        except OSError as error:
            raise self._failed(error) from error

    def numbers(self) -> set[str]:
        """The files that are there; none if the folder is missing. Raises StorageError if it cannot be looked into."""
        try:
            return {path.name for path in self.path.iterdir()}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StorageFailedError:
        told = disk_fault(error, self.path)
        what, said = "the folder of files cannot be used", f"{self.path}: {error.strerror or error}"
        return told or StorageFailedError(what, said, "see that it is a folder that may be written", passes=False)
