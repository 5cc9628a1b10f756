"""What passes between a web server and an application, and short answers of our own."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
Headers = list[tuple[str, str]]

PLAIN = "text/plain; charset=utf-8"
READING = ("GET", "HEAD")
"""The methods that change nothing."""


@dataclass
class Answer:
    """What an application answered. `fault` is what went wrong in it; then the rest is not worth sending."""

    status: str
    headers: Headers
    body: Iterable[bytes]
    fault: BaseException | None = None

    @property
    def code(self) -> int:
        """The number of the status."""
        return int(self.status[:3])

    def header(self, name: str) -> str | None:
        """The first header of this name, however it is spelt."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def put(self, name: str, value: str | None) -> None:
        """Sets a header in the place of any of the same name; None takes it away."""
        self.headers = [(key, old) for key, old in self.headers if key.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def close(self) -> None:
        """Gives back what the body holds, such as an open file: for an answer that is not sent."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()

    def behead(self) -> None:
        """Leaves the head alone, with the length of the body that it is the head of."""
        if self.header("Content-Length") is None and self.code not in (204, 304):
            self.put("Content-Length", str(sum(map(len, self.body))))
        self.close()
        self.body = []

    def send(self, start_response: Any) -> Iterable[bytes]:
        """Hands it to the server."""
        start_response(self.status, self.headers)
        return self.body


def ask(app: App, environ: dict[str, Any]) -> Answer:
    """The answer of an application, held back to be looked at. It must have begun its answer when it returns.

    Bottle tells of an exception by `exc_info`, and writes its traceback to `wsgi.errors`, where nobody reads it here.
    optuna-dashboard fails at a request that does not say which encodings it takes.
    """
    given = {"HTTP_ACCEPT_ENCODING": "", **environ, "wsgi.errors": io.StringIO()}
    begun = Answer("500 Internal Server Error", [], [])

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> None:
        begun.status, begun.headers = status, list(headers)
        begun.fault = exc_info[1] if exc_info else None

    try:
        begun.body = app(given, start_response)
    except Exception as error:
        begun.fault = error
    return begun


def short_answer(status: str, text: str, content_type: str = PLAIN, headers: Headers | None = None) -> Answer:
    """An answer of our own."""
    body = text.encode()
    own = [("Content-Type", content_type), ("Content-Length", str(len(body))), *(headers or [])]
    return Answer(status, own, [body])
