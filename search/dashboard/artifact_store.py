"""The artifact store of the dashboard: files that were stored, and files that are made when they are asked for."""

import contextlib
import io
from typing import BinaryIO

from optuna.artifacts.exceptions import ArtifactNotFound

from models.errors import MnistSearchError
from search.dashboard.made_files import Kind, Made, made_of, trial_file
from search.dashboard.view import StudyView
from search.dashboard.watched import WatchedStudy
from search.report.page import build_page
from storage.artifacts import Artifacts
from storage.errors import StorageError
from storage.trials import place_of_trial


class DashboardArtifacts:
    """An artifact store by Optuna's protocol."""

    def __init__(self, view: StudyView) -> None:
        self._view = view

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The content of an artifact. Raises ArtifactNotFound if there is none."""
        made = made_of(artifact_id)
        return self._stored.open_reader(artifact_id) if made is None else io.BytesIO(self._make(made))

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Stores a file."""
        self._stored.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Removes a stored file, if it is there: a study whose files are gone can be deleted like any other."""
        if made_of(artifact_id) is None:
            with contextlib.suppress(ArtifactNotFound):
                self._stored.remove(artifact_id)

    @property
    def _stored(self) -> Artifacts:
        """As the database names their place now: a search may begin while its dashboard is open."""
        return self._view.store.artifacts()

    def _make(self, made: Made) -> bytes:
        try:
            if made.kind is Kind.REPORT:
                return build_page(self._watched(made.owner_id).study_now(), None).encode(errors="backslashreplace")
            study_id, number = place_of_trial(self._view.store.engine, made.owner_id)
            study = self._watched(study_id).study
            return trial_file(study, study.trial(number), made.kind)
        except (KeyError, MnistSearchError, StorageError):
            raise ArtifactNotFound(f"there is no artifact {made.artifact_id}") from None

    def _watched(self, study_id: int) -> WatchedStudy:
        watched = self._view.watched(study_id)
        if watched is None:
            raise KeyError(study_id)
        return watched
