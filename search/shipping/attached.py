"""A bundle kept with its study, as an artifact of Optuna's: whoever has the study has its networks."""

import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from optuna.artifacts import upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

from models.errors import MnistSearchError
from search.study import attributes
from search.study.study import SearchStudy
from storage.artifacts import Artifacts
from storage.faults import disk_fault

_OUTSIDE = re.compile(r"[^\w.-]+")
_LONGEST = 100


def attach(study: SearchStudy, folder: Path, name: str) -> str | None:
    """Keeps the bundle in a folder with its study as `NAME.zip`, in the place of an earlier one of that name.

    Returns the file's name; None if the study may only be read. Raises MnistSearchError if it cannot be written.
    """
    store, name = study.store, file_stem(name)
    file_name = f"{name}.zip"
    if store.is_copy:
        return None
    try:
        with tempfile.TemporaryDirectory() as aside:
            path = Path(aside) / file_name
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
                for member in sorted(folder.iterdir()):
                    file.write(member, f"{name}/{member.name}")
            earlier = _artifact_id(study, file_name)
            if earlier is None or not _is_written_over(store.artifacts(), earlier, path):
                upload_artifact(artifact_store=store.artifacts(), file_path=str(path), study_or_trial=study.optuna)
    except OSError as error:
        refused = MnistSearchError(f"the bundle cannot be kept with its study: {error.strerror or error}")
        raise disk_fault(error) or refused from None
    return file_name


def _is_written_over(artifacts: Artifacts, artifact_id: str, path: Path) -> bool:
    """Whether an artifact now has the content of the file; not if what the database names is no artifact."""
    try:
        with path.open("rb") as content:
            artifacts.write(artifact_id, content)
    except ArtifactNotFound:
        return False
    return True


def _artifact_id(study: SearchStudy, file_name: str) -> str | None:
    """The number of a study's artifact of this name; None if it has none."""
    attrs = study.store.optuna.get_study_system_attrs(study.study_id)
    kept = (_meta(text) for key, text in attrs.items() if key.startswith(attributes.ARTIFACT))
    return next((meta["artifact_id"] for meta in kept if meta.get("filename") == file_name), None)


def _meta(text: object) -> dict[str, str]:
    """What Optuna keeps of a file; nothing where it was removed, or somebody wrote something else there."""
    try:
        meta: Any = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    is_sound = isinstance(meta, dict) and all(isinstance(meta.get(key), str) for key in ("artifact_id", "filename"))
    return dict(meta) if is_sound else {}


def file_stem(name: str) -> str:
    """A name that may hold anything, as one of a file: it leads into no other folder, and hides nowhere."""
    return _OUTSIDE.sub("-", name)[:_LONGEST].lstrip(".-") or "bundle"
