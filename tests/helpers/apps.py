"""A dashboard asked without a server between."""

import io
import json
from typing import Any
from wsgiref.util import setup_testing_defaults

from search.dashboard.wsgi import App, ask


def call_app(app: App, method: str, path: str, query: str = "", body: Any = None) -> tuple[int, bytes]:
    """The status and the body of an answer. What is sent is JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": io.BytesIO(content),
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(content)),
    }  # fmt: skip
    setup_testing_defaults(environ)
    answer = ask(app, environ)
    assert answer.fault is None, answer.fault
    try:
        return answer.code, b"".join(answer.body)
    finally:
        answer.close()


def get_json(app: App, path: str, query: str = "") -> Any:
    """What a path says."""
    code, body = call_app(app, "GET", path, query)
    assert code == 200, body
    return json.loads(body)
