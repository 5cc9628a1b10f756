"""optuna-dashboard's page takes what it has just done for a failure (0.21): it reads every answer as JSON, and its
server answers what needs no words by 204, with nothing to read.
"""

from collections.abc import Iterable
from typing import Any

from search.dashboard.wsgi import App, ask, short_answer


def never_empty(app: App) -> App:
    """The same application, in which `/api` answers an empty JSON object where it would answer nothing."""

    def answered(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith("/api/") or environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start_response)
        answer = ask(app, environ)
        if answer.fault is not None:
            raise answer.fault
        if answer.code == 204:
            answer.close()
            answer = short_answer("200 OK", "{}", "application/json")
        return answer.send(start_response)

    return answered
