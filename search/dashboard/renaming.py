"""Renames a study as a study is renamed: by its name alone.

optuna-dashboard makes a copy by the new name, of what it shows of the trials, and deletes the study. Of ours that would
lose what it does not show, such as the candidates, and all that is in our own tables, and a search at work.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from search.dashboard.view import StudyView
from search.dashboard.wsgi import App, ask, short_answer
from storage.names import rename_study

_RENAME = re.compile(r"/api/studies/(\d+)/rename/?")


def renaming(app: App, view: StudyView) -> App:
    """The same application, which renames studies of ours in their place."""

    def renamed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = _RENAME.fullmatch(environ["PATH_INFO"])
        if found is None or environ["REQUEST_METHOD"] != "POST" or not _is_ours(view, int(found[1])):
            return app(environ, start_response)
        study_id = int(found[1])
        name = _name(environ)
        if not name:
            return _answer("400 Bad Request", {"reason": "You need to set study_name"}, start_response)
        if not rename_study(view.store.engine, study_id, name):
            return _answer("400 Bad Request", {"reason": "Study name already exists."}, start_response)
        listed = ask(app, {**environ, "REQUEST_METHOD": "GET", "PATH_INFO": "/api/studies", "CONTENT_LENGTH": "0"})
        studies = json.loads(b"".join(listed.body))["study_summaries"]
        [study] = [study for study in studies if study["study_id"] == study_id]
        return _answer("201 Created", study, start_response)

    return renamed


def _is_ours(view: StudyView, study_id: int) -> bool:
    try:
        return view.watched(study_id) is not None
    except KeyError:
        return False


def _name(environ: dict[str, Any]) -> str | None:
    """The name that is asked for; None if the request says none."""
    try:
        asked = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    except ValueError:
        return None
    name = asked.get("study_name") if isinstance(asked, dict) else None
    return name if isinstance(name, str) else None


def _answer(status: str, content: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return short_answer(status, json.dumps(content), "application/json").send(start_response)
