"""Files of trials and studies: one place for all of a database, by Optuna's protocol of artifact stores.

The place is a folder or a bucket (`storage/artifact_folder.py`, `storage/artifact_bucket.py`); which one stands in the
database (`storage/artifact_location.py`).
"""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

from optuna.artifacts.exceptions import ArtifactNotFound

from storage.artifact_bucket import ArtifactBucket
from storage.artifact_folder import ArtifactFolder
from storage.errors import StorageError
from storage.urls import without_password

Place: TypeAlias = ArtifactFolder | ArtifactBucket

_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,128}")
"""What Optuna numbers files by; whatever else a database holds is no file, and no path."""
_MAX_LENGTH = 256
"""Letters of a place as a user writes it; as a URL it may be four times as long, for which a database has room."""


class Artifacts:
    """An artifact store by Optuna's protocol.

    Its methods raise ArtifactNotFound for a file that is not there, and StorageError where the place cannot be used.
    """

    def __init__(self, place: Place, before_writing: Callable[[str], None] = lambda _: None) -> None:
        """`before_writing` is told the number of each file that is to be written."""
        self.place = place
        self._before_writing = before_writing
        self._patiently: Callable[[Callable[[], None]], None] = lambda action: action()

    def with_patience(self, call: Callable[[Callable[[], None]], None]) -> "Artifacts":
        """The same files, written by `call`, which may do again what failed in a way that passes."""
        patient = Artifacts(self.place, self._before_writing)
        patient._patiently = call
        return patient

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The content of a file."""
        return io.BytesIO(self.place.read(_checked(artifact_id)))

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keeps a file, in the place of an earlier one of that number."""
        number, content = _checked(artifact_id), content_body.read()

        def keep() -> None:
            self._before_writing(number)
            self.place.write(number, content)

        self._patiently(keep)

    def remove(self, artifact_id: str) -> None:
        """Removes a file."""
        self.place.remove(_checked(artifact_id))


def _checked(artifact_id: str) -> str:
    if not _NUMBER.fullmatch(artifact_id):
        raise ArtifactNotFound(f"{artifact_id!r} is not the number of a file")
    return artifact_id


def place_of(text: str) -> Place:
    """The place that a user names: a folder, `file:///FOLDER` or `s3://BUCKET/PREFIX`. Raises StorageError."""
    scheme, colon, _ = text.partition("://")
    is_known = scheme in ("file", "s3") if colon else not re.match(r"[a-z0-9]{2,}:/", text)
    if not text or len(text) > _MAX_LENGTH or not text.isprintable() or not is_known:
        raise StorageError(
            f"--artifacts {without_password(text)[:80]!r}: write a folder, file:///FOLDER or s3://BUCKET/PREFIX"
        )
    if not colon:
        try:
            return ArtifactFolder(Path(text).expanduser().absolute())
        except RuntimeError:  # ~NAME, where nobody has that name
            raise StorageError(f"--artifacts {text!r}: nobody here has that home folder") from None
    return ArtifactFolder.from_url(text) if scheme == "file" else ArtifactBucket.from_url(text)
