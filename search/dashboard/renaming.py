"""Renaming a study: optuna-dashboard copies its trials and deletes it, and their epochs and verifications with it."""

import json
import re
from collections.abc import Iterable
from typing import Any

from search.dashboard.view import StudyView
from search.dashboard.wsgi import App, short_answer
from storage.renaming import rename_study

_RENAME = re.compile(r"/api/studies/(\d+)/rename/?")
_LONGEST = 512
"""Letters in a study's name, in every database."""
_JSON = "application/json"


def renaming(app: App, view: StudyView) -> App:
    """The same application, in which a study that is renamed stays the study it was."""

    def renamed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = _RENAME.fullmatch(environ["PATH_INFO"])
        if found is None or environ["REQUEST_METHOD"] != "POST":
            return app(environ, start_response)
        status, said = _rename(view, int(found[1]), _wanted_name(environ))
        return short_answer(status, json.dumps(said), _JSON).send(start_response)

    return renamed


def _wanted_name(environ: dict[str, Any]) -> str | None:
    """The name that is asked for; None if there is none that a study may have."""
    if not environ.get("CONTENT_TYPE", "").startswith(_JSON):
        return None
    try:
        name = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))["study_name"]
    except (ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) and 0 < len(name) <= _LONGEST else None


def _rename(view: StudyView, study_id: int, name: str | None) -> tuple[str, dict[str, Any]]:
    if name is None:
        return "400 Bad Request", {"reason": f"A study's name has 1 to {_LONGEST} letters."}
    try:
        if not rename_study(view.store.engine, study_id, name):
            return "400 Bad Request", {"reason": "Study name already exists."}
    except KeyError:
        return "404 Not Found", {"reason": f"study_id={study_id} is not found"}
    [study] = [study for study in view.get_all_studies() if study._study_id == study_id]
    return "201 Created", {
        "study_id": study_id,
        "study_name": name,
        "directions": [direction.name.lower() for direction in study.directions],
        "user_attrs": [{"key": key, "value": str(value)} for key, value in study.user_attrs.items()],
        "is_preferential": False,
    }
