"""optuna-dashboard as a web server on this machine."""

import socketserver
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna_dashboard

from models.errors import MnistSearchError
from storage.store import Store

App = Callable[[dict[str, Any], Any], Iterable[bytes]]

_READING = ("GET", "HEAD", "OPTIONS")


def serve(store: Store, host: str, port: int, read_only: bool) -> None:
    """Serves until it is interrupted. Raises MnistSearchError if the address is taken or not of this machine."""
    app: App = optuna_dashboard.wsgi(store.optuna, artifact_store=store.artifacts())
    if read_only:
        app = refuse_changes(app)
    try:
        server = make_server(host, port, app, _ThreadingServer, _QuietHandler)
    except OSError as error:
        raise MnistSearchError(
            f"cannot serve on {host}:{port}: {error.strerror or error}; try another --port"
        ) from None
    # Optuna warns at every page about importances that rest on few trials; the page itself shows them.
    with warnings.catch_warnings(action="ignore", category=UserWarning), server:
        server.serve_forever()


def refuse_changes(app: App) -> App:
    """The same application without the requests that change something: optuna-dashboard has no such mode itself."""

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in _READING:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"this dashboard is read-only\n"]

    return guarded


class _ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: a line per request would bury the address."""
