"""A dashboard that asks for a token: in the address once, from then on in a cookie, or in a header."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from search.dashboard.wsgi import READING, App, short_answer

_PARAMETER = "token"
_ADVICE = (
    "this dashboard needs its token: open the address that it printed when it began, "
    "or send the header `Authorization: Bearer TOKEN`\n"
)


def with_token(url: str, token: str | None) -> str:
    """An address that lets its reader in."""
    return url if token is None else f"{url}?{urlencode({_PARAMETER: token}, errors='surrogateescape')}"


def require_token(app: App, token: str, port: int) -> App:
    """The same application for those alone who have the token. `port` tells dashboards of one host apart."""
    name, worth = f"mnist_search_{port}", _cookie_value(token)

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True, errors="surrogateescape")
        given = [value for key, value in asked if key == _PARAMETER]
        if given and environ["REQUEST_METHOD"] in READING:
            if any(_equal(value, token) for value in given):
                rest = [(key, value) for key, value in asked if key != _PARAMETER]
                headers = [
                    ("Location", _place(environ["PATH_INFO"], rest)),
                    ("Set-Cookie", f"{name}={worth}; HttpOnly; SameSite=Strict; Path=/"),
                    ("Cache-Control", "no-store"),
                ]
                return short_answer("303 See Other", "", headers=headers).send(start_response)
        elif _has_cookie(environ, name, worth) or _bears(environ, token):
            return app(environ, start_response)
        headers = [("WWW-Authenticate", "Bearer"), ("Cache-Control", "no-store")]
        return short_answer("401 Unauthorized", _ADVICE, headers=headers).send(start_response)

    return guarded


def _cookie_value(token: str) -> str:
    """What the cookie holds: never the token itself, and nothing that must be quoted."""
    return hmac.new(_bytes(token), b"mnist-search dashboard", hashlib.sha256).hexdigest()


def _place(path: str, rest: list[tuple[str, str]]) -> str:
    """The same place without the token: a path of this server, whatever was asked for."""
    place = "/" + quote(path.lstrip("/").encode("latin-1"), safe="/")
    return f"{place}?{urlencode(rest, errors='surrogateescape')}" if rest else place


def _has_cookie(environ: dict[str, Any], name: str, worth: str) -> bool:
    pairs = (pair.strip().partition("=") for pair in environ.get("HTTP_COOKIE", "").split(";"))
    return any(key == name and _equal(value, worth) for key, _, value in pairs)


def _bears(environ: dict[str, Any], token: str) -> bool:
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    # A header arrives as Latin-1, whatever its bytes are.
    return scheme.lower() == "bearer" and hmac.compare_digest(value.strip().encode("latin-1"), _bytes(token))


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(_bytes(given), _bytes(right))


def _bytes(text: str) -> bytes:
    """What was typed, also where that was no UTF-8."""
    return text.encode(errors="surrogateescape")
