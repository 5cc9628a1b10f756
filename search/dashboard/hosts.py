"""By which names a dashboard answers: a page elsewhere can point a name of its own at this machine, and read it then.

A browser that was given a number was not led here by a name; so any number will do.
"""

import ipaddress
import re
import socket
from typing import Any

from search.dashboard.access import Access

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)


def known_names(access: Access) -> frozenset[str]:
    """The names that a request may have come by."""
    names = {"localhost", access.host, *access.allowed_hosts}
    if not access.is_local:
        names |= {socket.gethostname(), socket.getfqdn()}
    return frozenset(_plain(name) for name in names)


def is_known(environ: dict[str, Any], names: frozenset[str]) -> bool:
    """Whether a request came by one of these names, or by a number."""
    match = _HOST.fullmatch(environ.get("HTTP_HOST", ""))
    if match is None:
        return False
    host = _plain(match[1])
    return host in names or _is_number(host)


def is_from_elsewhere(environ: dict[str, Any]) -> bool:
    """Whether a browser says that a page of another site sent the request."""
    origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None and site.lower() not in ("same-origin", "none"):
        return True
    if origin is None:
        return False
    _, scheme_ends, host = origin.partition("://")
    return not scheme_ends or host.lower() != environ.get("HTTP_HOST", "").lower()


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host[1:-1] if host.startswith("[") else host)
    except ValueError:
        return False
    return True
