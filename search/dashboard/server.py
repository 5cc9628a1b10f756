"""The web server: an address taken first, and an application served there by several threads."""

import errno
import gc
import socket

from waitress import wasyncore
from waitress.server import create_server

from models.errors import MnistSearchError
from search.dashboard.quiet import quiet
from search.dashboard.wsgi import App

DEFAULT_PORT = 8080
_OTHER_PORTS = (*range(DEFAULT_PORT + 1, DEFAULT_PORT + 20), 0)
"""Where to go on when the default port is taken; 0 is any that is free."""

_THREADS = 8
_MOST_BYTES = 128 << 20
"""The largest body of a request; the dashboard itself takes no larger one."""
_LAST_SECONDS = 0.5
"""How long answers under way have when the server is stopped."""


def own_process() -> None:
    """To be called once by a process that does nothing but serve.

    A study of thousands of trials is millions of objects, and Python would look through them again and again while
    more are made: a third of the time of the first page.
    """
    gc.set_threshold(50_000, 20, 50)


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens on this port, or on 8080 or the next one that is free.

    Raises MnistSearchError if the address is taken, not to be had, or not of this machine.
    """
    ports = (DEFAULT_PORT, *_OTHER_PORTS) if port is None else (port,)
    for one in ports:
        try:
            return _listen(host, one)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and one != ports[-1]:
                continue
            elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
            raise MnistSearchError(
                f"cannot serve on {host}:{one}: {error.strerror or error}; "
                f"try another {'--host' if elsewhere else '--port'}"
            ) from None
        except UnicodeError:
            raise MnistSearchError(f"cannot serve on {host}:{one}: it is no host name; try another --host") from None
    raise AssertionError


def _listen(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()  # only this tells that another one listens there already
    except OSError:
        listening.close()
        raise
    return listening


def address_of(host: str, listening: socket.socket) -> str:
    """The address that a browser is to be given, without a path."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port_of(listening)}"


def port_of(listening: socket.socket) -> int:
    """The port of a socket."""
    port: int = listening.getsockname()[1]
    return port


class Server:
    """Serves an application on a socket that listens, which becomes its own."""

    def __init__(self, app: App, listening: socket.socket) -> None:
        self._sockets: dict[int, object] = {}
        self._ended = False
        self._server = create_server(
            app,
            map=self._sockets,
            sockets=[listening],
            threads=_THREADS,
            ident=None,
            log_socket_errors=False,
            max_request_body_size=_MOST_BYTES,
        )

    def serve(self) -> None:
        """Serves until `stop`, or an exception such as Ctrl-C makes; open connections are closed then."""
        try:
            with quiet():
                while not self._ended:
                    wasyncore.loop(timeout=1, use_poll=True, map=self._sockets, count=1)
        finally:
            self.close()

    def stop(self) -> None:
        """Ends `serve`, which another thread is in."""
        self._ended = True
        self._server.pull_trigger()

    def close(self) -> None:
        """Gives up the address, if it was not yet."""
        with quiet():
            self._server.task_dispatcher.shutdown(timeout=_LAST_SECONDS)
            wasyncore.close_all(self._sockets)
