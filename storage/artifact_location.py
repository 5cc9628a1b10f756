"""Where the files of a database are: kept in it, so that every machine finds them without being told.

A database in an SQLite file that keeps nothing of the kind has its files beside it, and may be moved with them. A
server's keeps the working folder of the first search, if no other place is named.
"""

from functools import cache
from pathlib import Path

from optuna.storages._rdb.models import StudySystemAttributeModel, TrialSystemAttributeModel
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.artifact_bucket import ArtifactBucket
from storage.artifact_folder import ArtifactFolder
from storage.artifacts import Artifacts, Place, place_of
from storage.errors import StorageError
from storage.tables import ArtifactLocationRow

_ATTRIBUTE = "artifacts:"
"""Optuna's own, the beginning of its name: what a file is, or null when it was removed."""


class ArtifactLocation:
    """The place of a database's files, as it stands now."""

    def __init__(self, engine: Engine, default: Path, is_beside: bool) -> None:
        """`default` is their folder where the database keeps none; `is_beside` says that it moves with the database."""
        self._engine = engine
        self._default = ArtifactFolder(default)
        self._is_beside = is_beside

    def open(self) -> Artifacts:
        """The files, to be read and written. Raises StorageError for a place that this program does not know."""
        kept = self._kept()
        if kept is not None:
            return Artifacts(kept)
        return Artifacts(self._default, before_writing=self._settle_before_writing)

    def settle(self, asked: str | None, yet_to_come: str | None = None) -> str | None:
        """Sees that the files have a place that is seen from here, `asked` or the default; returns a line to be shown.

        `yet_to_come` is the number of a file that the database names and that is about to be written. Raises
        StorageError if the place cannot be used, or files are in another one.
        """
        kept = self._kept()
        if asked is None and (kept is not None or self._is_beside):
            (kept or self._default).require()
            return None
        wanted = self._default if asked is None else place_of(asked)
        if kept is not None and wanted.is_same(kept) and _is_seen(kept):
            return None
        if kept is None and self._is_beside and wanted.is_same(self._default):
            return None
        self._require_all_in(wanted, kept or self._default, named_files(self._engine) - {yet_to_come})
        wanted.begin()
        if not self._keep(wanted.url, is_first=kept is None):
            return self.settle(asked, yet_to_come)
        if asked is not None:
            return f"files: kept in {wanted}"
        return (
            f"files: kept in {wanted}, which every machine that works on this database must see; "
            "--artifacts URL names another place, now or later"
        )

    def _settle_before_writing(self, number: str) -> None:
        if not self._is_beside:
            self.settle(None, yet_to_come=number)

    def _keep(self, url: str, is_first: bool) -> bool:
        """Whether it could be kept: another machine may have been the first."""
        row = ArtifactLocationRow(id=1, url=url)
        try:
            with Session(self._engine) as session, session.begin():
                session.add(row) if is_first else session.merge(row)
        except IntegrityError:
            return False
        return True

    def _kept(self) -> Place | None:
        with Session(self._engine) as session:
            url = session.scalar(select(ArtifactLocationRow.url))
        return None if url is None else _kept_place(url)

    def _require_all_in(self, wanted: Place, before: Place, named: set[str]) -> None:
        """Raises StorageError if one of these files is not in the place that is wanted."""
        if not named:
            return
        if not wanted.is_same(before) and _is_seen(before):
            named &= before.numbers()  # what is gone is not missed
        missing = named - wanted.numbers()
        if missing:
            raise StorageError(
                f"--artifacts {wanted}: this database keeps its files in {before}, and {len(missing)} of them are not "
                "in that other place: leave the option out, or copy them all there and ask again"
            )


@cache
def _kept_place(url: str) -> Place:
    """The place of a kept URL, one object for each: a bucket has connections of its own."""
    try:
        return _parsed(url)
    except StorageError:
        raise StorageError(
            f"this database keeps its files in {url[:80]!r}, which this program does not know: update mnist-search"
        ) from None


def _parsed(url: str) -> Place:
    """The place of a URL as databases keep it. Raises StorageError."""
    if url.startswith("s3://"):
        return ArtifactBucket.from_url(url)
    place = ArtifactFolder.from_url(url)
    if not url.startswith("file://") or not place.is_marked:
        raise StorageError(url)
    return place


def _is_seen(place: Place) -> bool:
    try:
        place.require()
    except StorageError:
        return False
    return True


def named_files(engine: Engine) -> set[str]:
    """The numbers of all files that trials and studies of a database name."""
    found: set[str] = set()
    with engine.connect() as connection:
        for model in (TrialSystemAttributeModel, StudySystemAttributeModel):
            query = select(model.key, model.value_json).where(model.key.startswith(_ATTRIBUTE))
            for key, value in connection.execute(query):
                if value not in ("null", '"null"'):
                    found.add(key.removeprefix(_ATTRIBUTE))
    return found
