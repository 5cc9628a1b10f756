"""Database servers: which drivers open them, what is refused in a line, and how their connections are kept."""

import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from storage import urls
from storage.epochs import epochs_of
from storage.errors import StorageError, StorageFailedError
from storage.store import Store
from storage.urls import engine_options, parse, with_driver
from tests.helpers.databases import add_epoch, new_study, new_trial, record
from tests.helpers.servers import free_port
from tests.helpers.shared_servers import KINDS, own_server, shared_server

pytestmark = pytest.mark.every_database
ON_A_SERVER = pytest.mark.parametrize("database_kind", KINDS)


def refusal(url: str) -> str:
    with pytest.raises(StorageError) as caught:
        Store(url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Drivers


@pytest.mark.parametrize(
    ("written", "opened"),
    [
        ("postgresql://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg2://u@h/d"),
        ("mysql://u@h/d", "mysql+pymysql://u@h/d"),
        ("mariadb://u@h/d", "mysql+pymysql://u@h/d"),
        ("mariadb+mysqldb://u@h/d", "mysql+mysqldb://u@h/d"),
        ("sqlite:///s.db", "sqlite:///s.db"),
    ],
)
def test_a_url_without_a_driver_gets_ours(written: str, opened: str) -> None:
    assert str(with_driver(parse(written))) == opened


@ON_A_SERVER
def test_every_name_of_a_server_opens_it(store: Store, database_kind: str) -> None:
    new_study(store, "kept")
    names = {"postgresql": ["postgres", "postgresql+psycopg"], "mysql": ["mariadb", "mysql+pymysql", "mariadb+pymysql"]}
    for name in names[database_kind]:
        other = Store(str(store.url.set(drivername=name)))
        assert [study.study_name for study in other.optuna.get_all_studies()] == ["kept"]
        other.close()


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [("postgresql://me:secret@h/d", "psycopg", "postgresql"), ("mysql://me:secret@h/d", "pymysql", "mysql")],
)
def test_the_extra_is_named_that_is_missing(url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    shown = url.replace("secret", "***")
    assert refusal(url) == f"{shown} needs a driver that is not installed: pip install -e '.[{extra}]'"


def test_another_driver_is_named_that_is_missing() -> None:
    assert refusal("postgresql+pg8000://me:secret@h/d") == (
        "postgresql+pg8000://me:***@h/d needs a driver that is not installed: install pg8000, or write "
        "postgresql://me:***@h/d"
    )


# What is refused


@pytest.mark.parametrize("url", ["postgresql://u:secret@h:port/x", "oracle://u:secret@h/x", "mssql://u:secret@h/x"])
def test_a_password_is_not_told(url: str) -> None:
    told = url.replace("secret", "***")
    assert refusal(url) == f"{told!r} is not a storage URL: write sqlite:///FILE.db, or a PostgreSQL or MySQL URL"


@pytest.mark.parametrize("url", ["postgresql://u:secret@h", "mysql://u:secret@h/"])
def test_a_server_without_a_database(url: str) -> None:
    kind = url.partition(":")[0]
    assert refusal(url).endswith(f" names no database: write {kind}://USER@HOST/DATABASE")
    assert "secret" not in refusal(url)


@ON_A_SERVER
def test_a_database_that_is_not_there(database_kind: str) -> None:
    url = shared_server(database_kind).url("nothing")
    assert refusal(url).startswith(f"{url} cannot be opened: ")
    assert "nothing" in refusal(url).removeprefix(url)


@ON_A_SERVER
def test_a_server_that_does_not_run(database_kind: str) -> None:
    url = KINDS[database_kind].url_at(free_port(), "d")
    assert refusal(url).startswith(f"{url} cannot be opened: ")
    assert refusal(url).endswith("see that the server runs and has this database, or name another with --storage")


@contextmanager
def silent_port() -> Iterator[int]:
    """A port on which somebody listens who never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


@ON_A_SERVER
def test_a_server_that_does_not_answer(database_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert urls.CONNECT_TIMEOUT_SECONDS == 10
    monkeypatch.setattr(urls, "CONNECT_TIMEOUT_SECONDS", 2)  # less is none to PostgreSQL's library
    began = time.monotonic()
    with silent_port() as port:
        url = KINDS[database_kind].url_at(port, "d")
        assert refusal(url).startswith(f"{url} cannot be opened: ")
    assert 1.5 < time.monotonic() - began < 8


def test_what_a_url_says_of_a_connection_stands() -> None:
    given = engine_options(with_driver(parse("postgresql://u@h/d?connect_timeout=3")))["connect_args"]
    assert "connect_timeout" not in given
    assert given["keepalives_idle"] == 30


# Connections


@ON_A_SERVER
def test_a_connection_reads_what_is_committed_and_waits_for_long_statements(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.get_isolation_level() == "READ COMMITTED"
        driver = connection.connection.driver_connection
        assert getattr(driver, "_read_timeout", 120) == 120


@ON_A_SERVER
def test_what_is_too_long_is_refused_and_not_cut(store: Store) -> None:
    too_long = text("INSERT INTO artifact_location (id, url) VALUES (1, :url)").bindparams(url="x" * 1025)
    with store.engine.connect() as connection, pytest.raises(DataError, match=r"too long"):
        connection.execute(too_long)


@ON_A_SERVER
def test_connections_that_the_server_ended_are_made_anew(store: Store, database_kind: str) -> None:
    """As after its wait_timeout, or by its administrator."""
    trial = new_trial(store)
    server = shared_server(database_kind)
    for epoch in (1, 2):
        add_epoch(store.engine, trial, record(epoch))
        store.optuna.get_trial(trial)
        server.end_connections(str(store.url.database))
    assert [one["epoch"] for one in epochs_of(store.engine, trial)] == [1, 2]
    assert store.optuna.get_trial(trial).number == 0


@ON_A_SERVER
def test_a_killed_server_is_worked_on_with_when_it_is_back(database_kind: str) -> None:
    with own_server(database_kind) as server:
        store = Store(server.new_database(with_tables=False))
        trial = new_trial(store)
        add_epoch(store.engine, trial, record(1))
        server.kill9()
        for work in (lambda: epochs_of(store.engine, trial), lambda: add_epoch(store.engine, trial, record(2))):
            with pytest.raises(StorageFailedError) as caught:
                work()
            assert caught.value.passes
        server.start_again()
        assert epochs_of(store.engine, trial) == [record(1)]
        add_epoch(store.engine, trial, record(2))
        assert epochs_of(store.engine, trial) == [record(1), record(2)]
        assert store.optuna.get_trial(trial).number == 0
        store.close()


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_user_who_may_only_read_reads(store: Store) -> None:
    trial = new_trial(store)
    add_epoch(store.engine, trial, record(1))
    with store.engine.begin() as connection:
        connection.execute(text("DROP OWNED BY reader") if _has_reader(store) else text("CREATE ROLE reader LOGIN"))
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
    reader = Store(str(store.url.set(username="reader")), must_exist=True, for_reading=True)
    assert epochs_of(reader.engine, trial) == [record(1)]
    with pytest.raises(StorageFailedError, match=r"^the database refuses this user"):
        add_epoch(reader.engine, trial, record(2))
    reader.close()


def _has_reader(store: Store) -> bool:
    with store.engine.connect() as connection:
        return connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = 'reader'")) is not None


@pytest.mark.parametrize("url", ["postgresql://me@127.0.0.1:{}/db", "mysql://me@127.0.0.1:{}/db"])
def test_a_server_that_does_not_answer_is_waited_for_aloud(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("storage.urls.CONNECT_TIMEOUT_SECONDS", 4)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        named = url.format(silent.getsockname()[1])
        with pytest.raises(StorageError, match=re.escape(f"{named} cannot be opened: ")):
            Store(named)
    said = f"waiting for {named}: it does not answer, or another program changes its tables\n"
    assert capsys.readouterr().err == said
