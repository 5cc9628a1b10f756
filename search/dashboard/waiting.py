"""A dashboard that may be opened before there is anything to show: it waits, says so, and begins by itself."""

import html
import threading
from collections.abc import Iterable
from typing import Any

from sqlalchemy import make_url

from search.dashboard.app import make_app
from search.dashboard.wsgi import READING, App, short_answer
from search.study import attributes
from search.study.samplers import quiet_optuna
from storage.errors import NothingStoredError, StorageError
from storage.store import Store
from storage.urls import shown

WAITING = "503 Service Unavailable"
_SECONDS = 2
"""After how long the page that waits asks again."""
_ALL = "/dashboard"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="{seconds}">
<meta name="viewport" content="width=device-width">
<title>mnist-search</title>
</head>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40em; margin: 20vh auto; padding: 0 1em">
<p>{text}</p>
<p style="color: #666">This page looks again every {seconds} seconds.</p>
</body>
</html>
"""


class WaitingApp:
    """The dashboard on a storage, once there is a study to show, or the one of this name; until then a page.

    Raises StorageError if the storage can never be used as it is named, or is there and damaged.
    """

    def __init__(self, storage_url: str, study: str | None, read_only: bool = False) -> None:
        """`read_only` says that nobody may change anything: then the file of a database need not be writable."""
        quiet_optuna()
        self._url = storage_url
        self._study = study
        self._read_only = read_only
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._app: App | None = None
        self._ready_app()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            app = self._ready_app()
        except StorageError as error:  # what came to be there meanwhile is no database, or is locked
            return self._page(start_response, str(error))
        if app is None:
            return self._page(start_response, self.awaited)
        if environ["PATH_INFO"] in ("", "/") and environ["REQUEST_METHOD"] in READING:
            headers = [("Location", self.path), ("Cache-Control", "no-store")]
            return short_answer("303 See Other", "", headers=headers).send(start_response)
        return app(environ, start_response)

    @property
    def awaited(self) -> str:
        """What it waits for, in a line."""
        where = shown(make_url(self._url))
        if self._study is not None:
            return f"waiting for study {self._study!r} in {where}"
        return f"waiting for a study in {where}: `mnist-search run` begins one"

    @property
    def is_copy(self) -> bool:
        """Whether it shows a copy of a database that may not be written, and not what is written to that later."""
        return self._store is not None and self._store.is_copy

    @property
    def is_ready(self) -> bool:
        """Whether there was something to show when it last looked."""
        return self._app is not None

    @property
    def path(self) -> str:
        """The page to begin with: that of the study, or of them all if none is named and there are several."""
        if not self.is_ready:
            return "/"
        numbers = self._numbers()
        wanted = self._study or (next(iter(numbers)) if len(numbers) == 1 else None)
        return f"{_ALL}/studies/{numbers[wanted]}" if wanted in numbers else _ALL

    def close(self) -> None:
        """Gives the storage back."""
        with self._lock:
            if self._store is not None:
                self._store.close()

    def _ready_app(self) -> App | None:
        if self._app is not None:
            return self._app
        with self._lock:  # several pages may be waiting, and one app is enough for all
            if self._app is None and self._found():
                assert self._store is not None
                self._app = make_app(self._store)
            return self._app

    def _found(self) -> bool:
        """Whether what is waited for is there."""
        if self._store is None:
            try:
                self._store = Store(self._url, must_exist=True, for_reading=self._read_only)
            except NothingStoredError:
                return False
        numbers = self._numbers()
        return bool(numbers) if self._study is None else self._study in numbers

    def _numbers(self) -> dict[str | None, int]:
        """The studies there are now, and their numbers."""
        assert self._store is not None
        return {study.study_name: attributes.study_id(study) for study in self._store.optuna.get_all_studies()}

    def _page(self, start_response: Any, text: str) -> Iterable[bytes]:
        page = _PAGE.format(text=html.escape(text), seconds=_SECONDS)
        headers = [
            ("Retry-After", str(_SECONDS)),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ]
        return short_answer(WAITING, page, "text/html; charset=utf-8", headers).send(start_response)
