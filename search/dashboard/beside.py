"""A dashboard in a process of its own beside a search, which it neither slows down nor outlives."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from models.errors import MnistSearchError
from search.dashboard.access import Access
from storage.errors import StorageError
from trainer.workers.processes import (
    die_with_parent,
    ignore_group_signals,
    make_process,
    process_context,
    start_process,
)

_START_SECONDS = 60.0
_END_SECONDS = 5.0
_NICENESS = 10


class Beside:
    """A dashboard that was started, and may be up by now."""

    def __init__(self, storage_url: str, study: str, access: Access) -> None:
        context = process_context()
        self._connection, theirs = context.Pipe(duplex=False)
        self._process = make_process(context, _live, (theirs, storage_url, study, access), daemon=True)
        start_process(self._process)
        theirs.close()

    def line(self, seconds: float = _START_SECONDS) -> str:
        """Where it is, or why it is not, in a line; waits for it this long at most, and then does without it."""
        fault = f"not up after {seconds:.0f} s"
        try:
            if self._connection.poll(seconds):
                url, fault = self._connection.recv()
                if url is not None:
                    return f"dashboard: {url}"
        except (EOFError, OSError):
            fault = "its process ended"
        self.end()
        return f"dashboard: did not start ({fault}); the search goes on without it"

    def end(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.join(_END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()


@contextmanager
def dashboard_beside(storage_url: str, study: str, access: Access) -> Iterator[Beside]:
    """Meanwhile a dashboard on this study is served, from a moment after the beginning on."""
    beside = Beside(storage_url, study, access)
    try:
        yield beside
    finally:
        beside.end()


def _live(connection: Connection, storage_url: str, study: str, access: Access) -> None:
    """The life of its process, until its parent ends it or is gone."""
    ignore_group_signals()  # the search decides
    die_with_parent()
    try:
        from search.dashboard.opening import Dashboard  # here alone: the search itself needs no web server
        from search.dashboard.server import own_process

        own_process()
        dashboard = Dashboard(storage_url, study, access)
    except (MnistSearchError, StorageError) as error:
        connection.send((None, str(error)))
        return
    except Exception as error:
        connection.send((None, f"{type(error).__name__}: {error}"))
        return
    os.nice(_NICENESS)  # the trainings come first; only now, since the search has waited for it so far
    connection.send((dashboard.url, None))
    dashboard.serve()
