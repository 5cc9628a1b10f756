"""What stands between a network and the dashboard: who may ask, for what, and how a browser is to take the answer."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from optuna.artifacts.exceptions import ArtifactNotFound

from models.printable import one_line
from search.dashboard import artifacts
from search.dashboard.access import Access
from search.dashboard.hosts import is_from_elsewhere, is_known, known_names
from search.dashboard.tokens import require_token
from search.dashboard.wsgi import PLAIN, READING, Answer, App, ask, short_answer

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Access-Control-Allow-Origin": None,
}
_NO_FILE = (ArtifactNotFound, LookupError)
"""What comes of a file that is gone, and of a study or trial that never was."""
_READ_ONLY = "this dashboard is read-only"


def guarded(app: App, access: Access, port: int) -> App:
    """The application behind every check that `access` asks for; `port` is the one it is served on."""
    if access.read_only:
        app = refuse_changes(app)
    app = refuse_changes_from_elsewhere(app)
    if access.token is not None:
        app = require_token(app, access.token, port)
    return with_safe_answers(require_known_host(app, known_names(access)))


def require_known_host(app: App, names: frozenset[str]) -> App:
    """The same application for requests alone that came by one of these names, or by a number."""

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if is_known(environ, names):
            return app(environ, start_response)
        text = "this dashboard is not known by that name: --allow-host NAME adds one\n"
        return short_answer("421 Misdirected Request", text).send(start_response)

    return guarded


def refuse_changes(app: App) -> App:
    """The same application for looking at alone: optuna-dashboard has no such mode itself."""

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in READING:
            return app(environ, start_response)
        if environ["PATH_INFO"].startswith("/api"):  # the page shows the reason that it finds there
            text, content_type = json.dumps({"reason": _READ_ONLY}), "application/json"
        else:
            text, content_type = f"{_READ_ONLY}\n", PLAIN
        return short_answer("403 Forbidden", text, content_type).send(start_response)

    return guarded


def refuse_changes_from_elsewhere(app: App) -> App:
    """The same application without the changes that a page of another site asks for in its reader's name."""

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in READING or not is_from_elsewhere(environ):
            return app(environ, start_response)
        text = "another site may not change anything here\n"
        return short_answer("403 Forbidden", text).send(start_response)

    return guarded


def with_safe_answers(app: App) -> App:
    """The same application, whose answers a browser takes for what they are, and whose faults are a line each."""

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # A head is asked for as a whole: where it lacked the length waitress would send the last of several pieces.
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        answer = _answer_of(app, {**environ, "REQUEST_METHOD": "GET"} if is_head else environ)
        if answer.code < 300 and environ["PATH_INFO"].startswith(artifacts.PREFIX):
            artifacts.contain(answer)
        for name, value in _HEADERS.items():
            answer.put(name, value)
        if is_head:
            answer.behead()
        return answer.send(start_response)

    return guarded


def _answer_of(app: App, environ: dict[str, Any]) -> Answer:
    """The answer of the application, or ours in its place."""
    path = environ["PATH_INFO"]
    try:
        path.encode("latin-1").decode()
    except UnicodeError:  # Bottle would drop such bytes, and go by a path that was not looked at here
        return short_answer("400 Bad Request", "this address is not UTF-8\n")
    answer = ask(app, environ)
    of_artifact, fault = path.startswith(artifacts.PREFIX), answer.fault
    if of_artifact and (answer.code == 404 or isinstance(fault, _NO_FILE)):
        answer.close()
        return short_answer("404 Not Found", "there is no such file\n")
    if fault is None:
        return answer
    answer.close()
    text = f"dashboard: {environ['REQUEST_METHOD']} {path}: {type(fault).__name__}: {fault}"
    print(one_line(text), file=sys.stderr, flush=True)
    return short_answer("500 Internal Server Error", "this failed: the dashboard's terminal says why\n")
