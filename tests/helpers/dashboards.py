"""Dashboards that are really served, and requests of every kind to them."""

import http.client
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from search.dashboard.access import Access
from search.dashboard.opening import Dashboard


@dataclass(frozen=True)
class Reply:
    """What came back; the names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@contextmanager
def serving(
    folder: Path, study: str | None = None, access: Access | None = None, storage: str | None = None
) -> Iterator[Dashboard]:
    """A dashboard on the database of a folder, or on another, in a thread, on a port that is free."""
    url = storage or f"sqlite:///{folder / 'mnist-search.db'}"
    dashboard = Dashboard(url, study, access or Access(), port=0)
    thread = threading.Thread(target=dashboard.serve)
    thread.start()
    try:
        yield dashboard
    finally:
        dashboard.stop()
        thread.join()


def request(url: str, method: str, path: str, body: str | None = None, **headers: str | None) -> Reply:
    """One request to the server of `url`. Headers as `Sec_Fetch_Site`; None for `Host` sends none."""
    place = urlsplit(url)
    assert place.hostname is not None
    sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    with closing(http.client.HTTPConnection(place.hostname, place.port or 80, timeout=20)) as connection:
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        if body is not None:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body.encode() if body is not None else None)
        answer = connection.getresponse()
        found: dict[str, Any] = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, found, answer.read())


def url_said(process: subprocess.Popen[str]) -> str:
    """The address that a search says before it begins."""
    assert process.stderr is not None
    for line in process.stderr:
        match = re.fullmatch(r"dashboard: (http://127\.0\.0\.1:\d+/dashboard/studies/1)\n", line)
        if match:
            return match[1]
        assert not line.startswith("study "), "the search began first"
    raise AssertionError(process.communicate())
