"""Storage URLs as users write them, and what SQLAlchemy is told for each kind of database."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from storage.errors import StorageError

BUSY_TIMEOUT_SECONDS = 60
"""How long another program's lock on an SQLite file is waited for, unless the user says otherwise."""
CONNECT_TIMEOUT_SECONDS = 10
"""How long a server may take to answer at all."""
_SILENCE_SECONDS = 120
"""A connection on which a server says nothing for so long in the middle of a statement is given up."""
_RECYCLE_SECONDS = 1800
"""Connections are made anew after so long: MySQL drops idle ones after its wait_timeout, firewalls after an hour."""

_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
"""What a URL without a driver is opened with: the drivers of our extras, not those that SQLAlchemy would take."""
EXTRAS = {"postgresql+psycopg": "postgresql", "mysql+pymysql": "mysql"}
"""The extra of this package that brings a driver."""

_PASSWORD = re.compile(r"(://[^/@]*?:).*(@)")


def parse(url: str) -> URL:
    """A storage URL, as it was written. Raises StorageError when it is malformed, or names no database."""
    try:
        url.encode()  # a file's name that is not UTF-8 has no URL
        parsed = make_url(url)
        with_driver(parsed).get_dialect()
    except (ArgumentError, ValueError, NoSuchModuleError):
        raise _not_a_storage(url) from None
    kind = kind_of(parsed)
    if "\0" in (parsed.database or ""):  # no file can be called that
        raise _not_a_storage(url)
    if kind not in ("sqlite", "postgresql", "mysql"):
        raise _not_a_storage(url)
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise StorageError(f"{without_password(url)!r} names no file: write sqlite:///FILE.db")
    if kind == "sqlite" and (parsed.host or parsed.port or parsed.username or parsed.password or parsed.query):
        raise StorageError(
            f"{without_password(url)!r} says more than a file: write sqlite:///FILE.db, or sqlite:////FOLDER/FILE.db"
        )
    if kind != "sqlite" and not parsed.database:
        raise StorageError(
            f"{parsed.render_as_string()!r} names no database: write {parsed.drivername}://USER@HOST/DATABASE"
        )
    return parsed


def without_password(url: str) -> str:
    """Whatever was written for a URL, fit to be shown."""
    return _PASSWORD.sub(r"\1***\2", url)


def shown(url: URL) -> str:
    """Return the URL as somebody would write it: the password hidden, the name of an SQLite file in plain letters."""
    if kind_of(url) != "sqlite":
        return url.render_as_string()
    return f"{url.drivername}:///{str(url.database).replace('%', '%25').replace('?', '%3F')}"


def parts_of(url: str) -> SplitResult | None:
    """The parts of the URL of a place for files; None of what is no URL, such as one with half a bracket."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _not_a_storage(url: str) -> StorageError:
    return StorageError(
        f"{without_password(url)!r} is not a storage URL: write sqlite:///FILE.db, or a PostgreSQL or MySQL URL"
    )


def kind_of(url: URL) -> str:
    """`sqlite`, `postgresql` or `mysql`, which MariaDB is too; anything else as it stands."""
    return with_driver(url).get_backend_name()


def with_driver(url: URL) -> URL:
    """The URL with a driver, where it names none; MariaDB under MySQL's name, the only one that Optuna knows."""
    name = _DRIVERS.get(url.drivername, url.drivername)
    kind, plus, driver = name.partition("+")
    return url.set(drivername=f"mysql+{driver}" if plus and kind == "mariadb" else name)


def folder_of(url: URL) -> Path:
    """The folder of an SQLite file; the working folder for a database server. Raises StorageError if it is missing."""
    if kind_of(url) != "sqlite":
        return Path.cwd()
    folder = Path(str(url.database)).absolute().parent
    if not os.path.isdir(folder):  # Path's own raises for a folder that may not be looked into
        raise StorageError(f"the folder {folder} does not exist: make it, or name another with --storage")
    return folder


def engine_options(url: URL) -> dict[str, Any]:
    """What `create_engine` is told of a server's URL with a driver. What the URL itself says of a connection stands.

    Servers read what is committed, and no older: MySQL's own level shows a transaction what was there at its beginning,
    and locks gaps between rows, over which two writers stumble. Connections are looked at before they are used, so
    that a server that was started anew is noticed by nobody.
    """
    if kind_of(url) == "sqlite":
        return {}
    arguments = {name: value for name, value in _connect_arguments(url).items() if name not in url.query}
    return {
        "pool_pre_ping": True,
        "pool_recycle": _RECYCLE_SECONDS,
        "pool_size": 2,  # kept open: a dispatcher uses one, and many machines share a server's hundred
        "max_overflow": 18,  # opened for a moment, when many look at a dashboard
        "isolation_level": "READ COMMITTED",
        "connect_args": arguments,
        "pool_events": [(_allow_long_statements, "connect")],
    }


def _allow_long_statements(connection: Any, _record: object) -> None:
    """PyMySQL has one limit for a server's greeting and for its answers: short before the connection is made."""
    if hasattr(connection, "_read_timeout"):
        connection._read_timeout = _SILENCE_SECONDS


def _connect_arguments(url: URL) -> dict[str, Any]:
    """Limits of time, and MySQL's strictness: some servers cut what is too long for a column, and say nothing."""
    driver = url.get_driver_name()
    if driver in ("psycopg", "psycopg2"):
        return {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "mnist-search",
            # A host that vanished is noticed within two minutes, not within the system's two hours.
            **{"keepalives_idle": 30, "keepalives_interval": 15, "keepalives_count": 5},
            "tcp_user_timeout": _SILENCE_SECONDS * 1000,
        }
    if driver in ("pymysql", "mysqldb"):
        greeting = CONNECT_TIMEOUT_SECONDS if driver == "pymysql" else _SILENCE_SECONDS
        limits = {"read_timeout": greeting, "write_timeout": _SILENCE_SECONDS}
        return {"connect_timeout": CONNECT_TIMEOUT_SECONDS, **limits, "sql_mode": "TRADITIONAL"}
    return {}
