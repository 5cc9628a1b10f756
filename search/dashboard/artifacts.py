"""Files that somebody stored with a study, as a browser may be given them: to look at, and never to be run.

A stored page or drawing has the address of the dashboard, and a script in it would have all that its reader may do.
"""

import re

from search.dashboard.wsgi import Answer

PREFIX = "/artifacts/"
_POLICY = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; media-src 'self'"
_TYPE = re.compile(r"([a-z0-9.+-]+/[a-z0-9.+-]+)( *; *charset=[a-z0-9-]+)?")
_DRAWING = "image/svg+xml"
_SHOWN = ("text/csv", "text/plain", "application/json", "application/jsonl")
_SHOWN_KINDS = ("image/", "audio/", "video/")
_UNKNOWN = "application/octet-stream"


def contain(answer: Answer) -> None:
    """Takes from a stored file what a browser would run: its type if that is not known to be harmless, and all scripts.

    A drawing keeps its type, so that a page can show it as an image; opened by itself it is saved, not shown.
    """
    given = (answer.header("Content-Type") or "").strip().lower()
    match = _TYPE.fullmatch(given)
    kind = match[1] if match else given.partition(";")[0].strip()
    # Whatever ends in xml is a document that may hold scripts, whatever it begins with.
    shown = bool(match) and (kind in _SHOWN or (kind.startswith(_SHOWN_KINDS) and not kind.endswith(("+xml", "/xml"))))
    if not shown:
        answer.put("Content-Type", _DRAWING if kind == _DRAWING else _UNKNOWN)
        answer.put("Content-Disposition", "attachment")
    answer.put("Content-Security-Policy", _POLICY)
