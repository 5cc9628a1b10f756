"""Puts our notes and figures into what optuna-dashboard's server says of a study.

Into the answer to its page, and not into the attributes of the study, which it looks through once more for each trial:
with 5,000 notes among them that would take most of a minute.
"""

import copy
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode
from wsgiref.util import setup_testing_defaults

from optuna.trial import FrozenTrial

from search.dashboard.own_words import with_ours
from search.dashboard.view import StudyView
from search.dashboard.watched import WatchedStudy
from search.dashboard.wsgi import Answer, App, ask

_STUDY = re.compile(r"/api/studies/(\d+)/?")


def explaining(app: App, view: StudyView) -> App:
    """The same application, whose studies and trials have notes."""

    def explained(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = _STUDY.fullmatch(environ["PATH_INFO"])
        watched = _watched(view, int(found[1])) if found and environ["REQUEST_METHOD"] == "GET" else None
        if watched is None:
            return app(environ, start_response)
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        first = query.get("after", ["0"])[-1]
        if not first.isdecimal():
            return app(environ, start_response)
        told = watched.told
        with told.lock:
            trials = watched.trials()
            told.keep_to((watched.facts_state, view.stored_attributes(watched.study.study_id)))
            frame = told.frame if len(trials) == len(told) else None  # all have ended: nothing to ask for
            if frame is None:
                after = urlencode({"after": max(int(first), len(told))})
                answer = ask(app, {**environ, "QUERY_STRING": after})
                if answer.fault is not None or answer.code != 200:
                    return app(environ, start_response)  # which says it in its own way
                frame = json.loads(b"".join(answer.body))
            body = _explain(frame, watched, int(first), trials)
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return Answer("200 OK", headers, [body]).send(start_response)

    return explained


def warm_up(app: App, study_id: int) -> None:
    """Makes ready what the first page of a study needs, which takes seconds for thousands of trials."""
    environ: dict[str, Any] = {"PATH_INFO": f"/api/studies/{study_id}"}
    setup_testing_defaults(environ)
    ask(app, environ)


def _watched(view: StudyView, study_id: int) -> WatchedStudy | None:
    try:
        return view.watched(study_id)
    except KeyError:  # the application says so better
        return None


def _explain(detail: dict[str, Any], watched: WatchedStudy, first: int, stored: Sequence[FrozenTrial]) -> bytes:
    """The answer with notes and figures, and its trials from the number `first` on.

    `detail` has those that were not told of yet. What was said of an ended trial is kept: nothing of it changes.
    """
    told, (note, figures) = watched.told, watched.page()
    n_told = len(told)
    told.frame = {**detail, "trials": [], "best_trials": copy.deepcopy(detail["best_trials"])}  # without our notes
    for trial in (*detail["trials"], *detail["best_trials"]):
        text = watched.note(trial["number"])
        if text is not None:
            trial["note"]["body"] = with_ours(trial["note"]["body"], text)
    texts = [*told.texts(first, n_told), *told.take(detail["trials"], stored)]
    place = secrets.token_hex(8)
    own_note, own_figures = detail["note"], detail["plotly_graph_objects"]
    body = json.dumps({
        **detail,
        "note": {**own_note, "body": with_ours(own_note["body"], note)},
        "plotly_graph_objects": [*figures, *own_figures],
        "trials": place,
    })  # fmt: skip
    return body.encode().replace(f'"{place}"'.encode(), b"[" + b", ".join(texts) + b"]", 1)
