"""Database servers that tests start themselves, PostgreSQL and MariaDB (or MySQL), on 127.0.0.1.

Their data goes to the system's memory only: it outlives a killed server, as tests need it, and no failure of power.
"""

import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from storage.store import Store
from storage.urls import parse, with_driver

TEMPLATE = "with_tables"
"""The database in a server that others are copied from."""
TABLES_OF_VERSIONS = ("alembic_version", "version_info", "mnist_search_schema")
"""What is in a database that has all tables and nothing else."""
_START_SECONDS = 60
_END_SECONDS = 10


class Server(ABC):
    """A database server in a folder of its own; `start` it, and `stop` it."""

    kind: str
    packages: str
    """What Debian calls it."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = free_port() if port is None else port
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def programs(cls) -> list[str]:
        """The paths of the programs that make and run it; fewer than two if it is not installed."""

    @staticmethod
    @abstractmethod
    def url_at(port: int, database: str) -> str:
        """As a user writes it, without a driver."""

    @abstractmethod
    def end_connections(self, database: str) -> None:
        """Ends all connections to a database."""

    @abstractmethod
    def _making(self) -> list[str]: ...

    @abstractmethod
    def _running(self) -> list[str]: ...

    @abstractmethod
    def _copy(self, connection: Connection, name: str) -> None:
        """Makes a database with all tables and nothing in them."""

    @property
    @abstractmethod
    def _ending(self) -> signal.Signals:
        """Ends it at once, with nothing left behind."""

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return self.url_at(self.port, database)

    def make(self) -> None:
        """Makes the folder's content, once."""
        self.folder.mkdir(exist_ok=True)
        if os.getuid() == 0:  # no such server runs as root
            shutil.chown(self.folder, *_nobody())
        self._call(self._making()).wait()

    def start(self) -> None:
        """Starts it, and returns when it answers; a killed one's processes may hold it up for a moment."""
        deadline = time.monotonic() + _START_SECONDS
        self._process = self._call(self._running())
        while not self.answers():
            if self._process.poll() is not None:
                self._process = self._call(self._running())
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it takes statements."""
        try:
            with self.connected() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True

    def kill9(self) -> None:
        """Kills it where it stands."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Starts it on the port that it had."""
        self.start()

    def stop(self) -> None:
        """Ends it, if this process started it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._ending)
            self._process.wait()

    def stop_of_another(self) -> None:
        """Ends it, whichever process started it, and waits until it has gone or is that process's to bury."""
        pid = int((self.folder / "pid").read_text())
        deadline = time.monotonic() + _END_SECONDS
        try:
            os.kill(pid, self._ending)
            while (self.folder / "data" / "postmaster.pid").exists() and time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(0.02)
        except ProcessLookupError:
            return

    @contextmanager
    def connected(self, database: str = "") -> Iterator[Connection]:
        """A connection that commits each statement, to a database or to none in particular."""
        url = with_driver(parse(self.url(database or self._no_database)))
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection

    _no_database = "mysql"

    def make_template(self) -> None:
        """Makes the database from which `new_database` copies."""
        with self.connected() as connection:
            connection.execute(text(f"CREATE DATABASE {TEMPLATE}"))
        Store(self.url(TEMPLATE)).close()

    def new_database(self, with_tables: bool = True) -> str:
        """The URL of a new database; Store takes longer to make the tables than a server to copy them."""
        name = f"t{time.monotonic_ns()}_{os.getpid()}"
        with self.connected() as connection:
            if with_tables:
                self._copy(connection, name)
            else:
                connection.execute(text(f"CREATE DATABASE {name}"))
        return self.url(name)

    def drop(self, url: str) -> None:
        """Drops a database, whoever uses it."""
        with self.connected() as connection:
            connection.execute(text(f"DROP DATABASE {parse(url).database}"))

    def _call(self, command: list[str]) -> subprocess.Popen[bytes]:
        user, group = _nobody() if os.getuid() == 0 else (None, None)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, user=user, group=group,
                extra_groups=None if user is None else [],
            )  # fmt: skip
        (self.folder / "pid").write_text(str(process.pid))
        return process


class PostgreSQL(Server):
    """PostgreSQL, whose user `tests` may do everything without a password."""

    kind, packages = "postgresql", "postgresql"
    _no_database = "postgres"
    _ending = signal.SIGINT

    @classmethod
    def programs(cls) -> list[str]:
        return _found(["initdb", "postgres"], ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"])

    @staticmethod
    def url_at(port: int, database: str) -> str:
        return f"postgresql://tests@127.0.0.1:{port}/{database}"

    def end_connections(self, database: str) -> None:
        query = text("SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE datname = :database")
        with self.connected() as connection:
            connection.execute(query, {"database": database})

    def drop(self, url: str) -> None:
        with self.connected() as connection:
            connection.execute(text(f"DROP DATABASE {parse(url).database} WITH (FORCE)"))

    def _making(self) -> list[str]:
        program, _ = self.programs()
        options = ["--auth=trust", "--username=tests", "--no-sync", "--encoding=UTF8", "--locale=C"]
        return [program, f"--pgdata={self.folder}/data", *options]

    def _running(self) -> list[str]:
        _, program = self.programs()
        settings = ["fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        options = [part for setting in settings for part in ("-c", setting)]
        return [program, "-D", f"{self.folder}/data", "-p", str(self.port), *options]

    def _copy(self, connection: Connection, name: str) -> None:
        version = connection.dialect.server_version_info or (0,)
        quick = " STRATEGY file_copy" if version >= (15,) else ""
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}{quick}"))


class MariaDB(Server):
    """MariaDB or MySQL, whose user `root` may do everything without a password."""

    kind, packages = "mysql", "mariadb-server"
    _ending = signal.SIGKILL

    @classmethod
    def programs(cls) -> list[str]:
        folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"]
        return _found(["mariadb-install-db", "mariadbd"], folders) or _found(["mysqld", "mysqld"], folders)

    @staticmethod
    def url_at(port: int, database: str) -> str:
        return f"mysql://root@127.0.0.1:{port}/{database}"

    def end_connections(self, database: str) -> None:
        query = text("SELECT id FROM information_schema.processlist WHERE db = :database")
        with self.connected() as connection:
            for number in connection.scalars(query, {"database": database}).all():
                connection.execute(text(f"KILL {number}"))

    def _making(self) -> list[str]:
        program, server = self.programs()
        data = f"--datadir={self.folder}/data"
        if program == server:
            return [program, "--no-defaults", "--initialize-insecure", data]
        return [program, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"]

    def _running(self) -> list[str]:
        _, program = self.programs()
        return [
            program, "--no-defaults", f"--datadir={self.folder}/data", f"--socket={self.folder}/socket",
            f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-doublewrite=0",
            "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--loose-debug-no-sync",
            "--innodb-buffer-pool-size=32M", "--performance-schema=off",
        ]  # fmt: skip

    def _copy(self, connection: Connection, name: str) -> None:
        statements = json.loads((self.folder / "tables.json").read_text())
        for statement in (f"CREATE DATABASE {name}", f"USE {name}", "SET foreign_key_checks = 0", *statements):
            connection.exec_driver_sql(statement.replace("%", "%%"))

    def make_template(self) -> None:
        super().make_template()
        with self.connected(TEMPLATE) as connection:
            names = [name for (name,) in connection.execute(text("SHOW TABLES"))]
            made = [connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1] for name in names]
            filled = [f"INSERT INTO {name} SELECT * FROM {TEMPLATE}.{name}" for name in TABLES_OF_VERSIONS]
        (self.folder / "tables.json").write_text(json.dumps([*made, *filled]))


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _found(names: list[str], folders: list[str]) -> list[str]:
    """The paths of these programs, all from the newest of the folders that has them, or else from PATH."""
    places = sorted((place for pattern in folders for place in glob.glob(pattern)), reverse=True)
    for place in [*places, None]:
        paths = [shutil.which(name, path=place) for name in names]
        if all(paths):
            return [str(path) for path in paths]
    return []


def _nobody() -> tuple[int, int]:
    """A user who may do little, and the group."""
    user = pwd.getpwnam("nobody")
    return user.pw_uid, user.pw_gid
