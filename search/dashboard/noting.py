"""Keeps of a note that a visitor saves what is theirs: the page sends it back with our part in it."""

import io
import json
import re
from collections.abc import Iterable
from typing import Any

from search.dashboard.own_words import own_words
from search.dashboard.view import StudyView
from search.dashboard.wsgi import App
from storage.trials import place_of_trial

_NOTE = re.compile(r"/api/studies/(\d+)(?:/(\d+))?/note/?")


def noting(app: App, view: StudyView) -> App:
    """The same application, which stores of notes what visitors wrote."""

    def noted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = _NOTE.fullmatch(environ["PATH_INFO"])
        if found is not None and environ["REQUEST_METHOD"] == "PUT":
            environ = _with_own_words(environ, view, int(found[1]), found[2])
        return app(environ, start_response)

    return noted


def _with_own_words(environ: dict[str, Any], view: StudyView, study_id: int, trial_id: str | None) -> dict[str, Any]:
    content: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        sent = json.loads(content)
        watched = view.watched(study_id)
        number = None if trial_id is None else place_of_trial(view.store.engine, int(trial_id))[1]
        if watched is not None:
            content = json.dumps({**sent, "body": own_words(sent["body"], watched.said(number))}).encode()
    except (ValueError, KeyError, TypeError, AttributeError):  # the application says what is wrong with it
        pass
    return {**environ, "wsgi.input": io.BytesIO(content), "CONTENT_LENGTH": str(len(content))}
