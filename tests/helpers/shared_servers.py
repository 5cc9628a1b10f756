"""One database server of each kind for all tests and all of pytest's workers: whoever needs it first starts it.

A test that kills its server has one of its own.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from optuna.storages._rdb.models import BaseModel
from sqlalchemy import text

from storage.store import Store
from storage.tables import Base
from tests.helpers.servers import TABLES_OF_VERSIONS, MariaDB, PostgreSQL, Server

_FOLDER = "MNIST_SEARCH_TEST_SERVERS"
"""Names the folder of the shared servers; pytest's workers inherit it."""
_known: dict[str, Server] = {}
_stores: dict[str, Store] = {}

KINDS: dict[str, type[Server]] = {"postgresql": PostgreSQL, "mysql": MariaDB}


def shared_server(kind: str) -> Server:
    """The server of all tests, started by whoever asks first; databases with all tables can be copied in it."""
    if kind not in _known:
        make = require(kind)
        folder = _folder() / kind
        with (_folder() / f"{kind}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ready = folder / "ready"
            server = make(folder, int(ready.read_text()) if ready.exists() else None)
            if not ready.exists():
                server.make()
                server.start()
                server.make_template()
                ready.write_text(str(server.port))
        _known[kind] = server
    return _known[kind]


def shared_store(kind: str) -> Store:
    """An open store on such a server, with nothing in it: making one anew for each test would take most of the time."""
    if kind in _stores:
        _empty(_stores[kind])
    else:
        _stores[kind] = Store(shared_server(kind).new_database())
    return _stores[kind]


def _empty(store: Store) -> None:
    unchecked = {"postgresql": "SET session_replication_role = replica", "mysql": "SET foreign_key_checks = 0"}
    checked = {"postgresql": "SET session_replication_role = DEFAULT", "mysql": "SET foreign_key_checks = 1"}
    names = (table.name for base in (BaseModel, Base) for table in base.metadata.sorted_tables)
    with store.engine.begin() as connection:
        connection.execute(text(unchecked[store.engine.dialect.name]))
        for name in {*names} - {*TABLES_OF_VERSIONS}:
            connection.execute(text(f"DELETE FROM {name}"))
        connection.execute(text(checked[store.engine.dialect.name]))


@contextmanager
def own_server(kind: str) -> Iterator[Server]:
    """A running server that the test may kill."""
    server = require(kind)(_folder() / f"{kind}-{os.getpid()}-{time.monotonic_ns()}")
    server.make()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def require(kind: str) -> type[Server]:
    """The class of a kind of server; skips the test where it is not installed, and fails it in CI."""
    server = KINDS[kind]
    if not server.programs():
        message = f"no {kind} server is installed: apt-get install {server.packages}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return server


def begin_folder() -> None:
    """Makes the folder of the servers, where one that is not root's may look."""
    folder = tempfile.mkdtemp(prefix="mnist-search-servers-")
    os.chmod(folder, 0o755)
    os.environ[_FOLDER] = folder


def close_stores() -> None:
    """Gives back the connections of this process."""
    for store in _stores.values():
        store.close()


def stop_all() -> None:
    """Ends all servers that are left, and removes what they wrote."""
    for pid_file in _folder().glob("*/pid"):
        kind, _, _ = pid_file.parent.name.partition("-")
        KINDS[kind](pid_file.parent, 0).stop_of_another()
    for server in _known.values():
        server.stop()
    shutil.rmtree(_folder(), ignore_errors=True)
    del os.environ[_FOLDER]


def _folder() -> Path:
    return Path(os.environ[_FOLDER])
