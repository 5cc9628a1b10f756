"""Migrations that are killed, or fail: the old version stays whole, or, in MySQL, the next opening goes on with it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, select, text

from storage.migrations import VERSION
from storage.migrations import v4_verifications_of_studies as v4
from storage.schema import ensure_schema
from storage.store import Store
from storage.tables import OWN_TABLES
from storage.urls import engine_options, parse, with_driver
from storage.verifications import verifications_of
from tests.helpers.databases import fill_with_version_3, schema_of, version_of
from tests.helpers.shared_servers import shared_server

pytestmark = pytest.mark.every_database
OF_WHOLE_TRANSACTIONS = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
IN_MYSQL = pytest.mark.parametrize("database_kind", ["mysql"])


@pytest.fixture
def old(database_url: str, tmp_path: Path) -> str:
    """A database that holds what a program of version 3 wrote."""
    fill_with_version_3(database_url, tmp_path)
    return database_url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    url = with_driver(parse(database_url))
    made = create_engine(url, **engine_options(url))
    yield made
    made.dispose()


KILLED = """
import os, sys
from storage.migrations import v4_verifications_of_studies as v4
from storage.store import Store
setattr(v4, sys.argv[2], lambda *_: os._exit(9))
Store(sys.argv[1])
"""


def killed_at(url: str, step: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", KILLED, url, step], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@OF_WHOLE_TRANSACTIONS
@pytest.mark.parametrize("at", ["_fill_studies", "drop_name"])
def test_a_migration_that_is_killed_leaves_the_old_version_whole(old: str, engine: Engine, at: str) -> None:
    before = schema_of(engine)
    assert killed_at(old, at) == (9, "")
    assert (schema_of(engine), version_of(engine)) == (before, 3)
    store = Store(old)
    assert len(verifications_of(store.engine, 1)) == 2
    store.close()


@OF_WHOLE_TRANSACTIONS
def test_a_step_that_fails_leaves_the_old_version_whole(
    old: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema_of(engine)

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(v4, "drop_name", fail)
    with pytest.raises(RuntimeError, match="the disk is full"):
        Store(old)
    assert (schema_of(engine), version_of(engine)) == (before, 3)


@IN_MYSQL
def test_a_migration_that_is_killed_in_mysql_is_gone_on_with(old: str, engine: Engine) -> None:
    assert killed_at(old, "drop_name") == (9, "")
    assert version_of(engine) == 3
    store = Store(old)
    assert version_of(engine) == VERSION
    assert len(verifications_of(store.engine, 1)) == 2
    store.close()


TOKENS = ("study_token", "database_token")


class StoppedError(BaseException):
    """In the place of a kill."""


def rows_of(engine: Engine) -> dict[str, list[str]]:
    """All rows; of a token, which is random, whether there is one."""
    with engine.connect() as connection:
        return {
            table.name: sorted(
                str({name: value is not None if name in TOKENS else value for name, value in row.items()})
                for row in connection.execute(select(table)).mappings()
            )
            for table in OWN_TABLES
        }


def stop_after_each_change(engine: Engine) -> int:
    """Brings the tables up to date in as many tries as there are changes of tables: each is stopped after its first."""
    is_armed = True

    def stop(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if is_armed and statement.split()[0] in ("CREATE", "ALTER", "DROP"):
            raise StoppedError

    event.listen(engine, "after_cursor_execute", stop)
    n_stopped = 0
    while n_stopped < 100:
        try:
            ensure_schema(engine)
        except StoppedError:
            n_stopped += 1
        else:
            break
    is_armed = False
    return n_stopped


@pytest.fixture
def undisturbed(database_kind: str, tmp_path: Path) -> Iterator[Engine]:
    """The same database, migrated in one go."""
    server = shared_server(database_kind)
    url = server.new_database()
    fill_with_version_3(url, tmp_path)
    forget_a_study(url)
    store = Store(url)
    yield store.engine
    store.close()
    server.drop(url)


def forget_a_study(url: str) -> None:
    """Of one verification: its label is to say so, once."""
    made = create_engine(with_driver(parse(url)))
    with made.begin() as connection:
        connection.execute(text("UPDATE verifications SET study_name = 'gone' WHERE verification_id = 1"))
    made.dispose()


@IN_MYSQL
def test_a_migration_may_be_stopped_after_any_statement_in_mysql(old: str, engine: Engine, undisturbed: Engine) -> None:
    forget_a_study(old)
    assert stop_after_each_change(engine) > 20
    assert version_of(engine) == VERSION
    assert schema_of(engine) == schema_of(undisturbed)
    assert rows_of(engine) == rows_of(undisturbed)
