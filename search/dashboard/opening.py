"""A dashboard on a storage, behind its guard, at an address of its own."""

from search.dashboard.access import Access
from search.dashboard.guard import guarded
from search.dashboard.server import DEFAULT_PORT, Server, address_of, listen, port_of
from search.dashboard.tokens import with_token
from search.dashboard.waiting import WaitingApp


class Dashboard:
    """A dashboard that listens; it answers while `serve` runs.

    Without a port it takes 8080, or the next one that is free. Raises MnistSearchError if the address cannot be
    had, and StorageError if the storage cannot be used.
    """

    def __init__(self, storage_url: str, study: str | None, access: Access, port: int | None = None) -> None:
        self._app = WaitingApp(storage_url, study, access.read_only)
        listening = listen(access.host, port)
        self._server = Server(guarded(self._app, access, port_of(listening)), listening)
        self.url = with_token(f"{address_of(access.host, listening)}{self._app.path}", access.token)
        """What a browser is to open."""
        self.other_port = port_of(listening) if port is None and port_of(listening) != DEFAULT_PORT else None
        """The port that it took where the default one was not to be had."""

    @property
    def awaited(self) -> str | None:
        """What it waits for, in a line, if there is nothing to show yet."""
        return None if self._app.is_ready else self._app.awaited

    @property
    def is_copy(self) -> bool:
        """Whether it shows a database as it was when it was opened."""
        return self._app.is_copy

    def serve(self) -> None:
        """Serves until `stop` or Ctrl-C."""
        try:
            self._server.serve()
        finally:
            self._app.close()

    def stop(self) -> None:
        """Ends `serve`, which another thread is in."""
        self._server.stop()
