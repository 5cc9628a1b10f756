"""Fixtures for every test: one thread, a quiet Optuna, and on request a folder of one's own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
import torch

from search.engines.opening import ENGINES
from search.space.space import Space
from storage.store import Store
from tests.helpers.bundles import shared_bundle
from tests.helpers.cli import QUICK, run_here, share_kernels
from tests.helpers.databases import new_study, url_of
from tests.helpers.inline import InlineEngine
from tests.helpers.shared_servers import begin_folder, close_stores, shared_server, shared_store, stop_all
from trainer.fused.kernels import load_kernels

# For the processes that tests start: those of parallel tests would wait for each other's threads, and busily.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # pytest's workers have it, and use the folder of the process above them
        begin_folder()


def pytest_unconfigure(config: pytest.Config) -> None:
    close_stores()
    if not hasattr(config, "workerinput"):
        stop_all()


@pytest.fixture(autouse=True)
def _quiet_and_on_one_thread() -> Iterator[None]:
    before = optuna.logging.get_verbosity(), torch.get_num_threads()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    yield
    optuna.logging.set_verbosity(before[0])
    torch.set_num_threads(before[1])


@pytest.fixture(scope="session", autouse=True)
def _kernels_loaded_once() -> None:
    """From the user's cache, before any test has one of its own: a library must outlive the process that loaded it."""
    load_kernels()


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder in which no study and no data are at hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("MNIST_SEARCH_ARTIFACTS", "MNIST_SEARCH_DATA", "MNIST_SEARCH_STORAGE", "MNIST_SEARCH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("trainer.training.precision._MEASURING_SECONDS", 0.05)
    share_kernels(tmp_path)
    return tmp_path


@pytest.fixture
def inline_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands train in this process, for real and on all images they are given: no worker is waited for."""
    monkeypatch.setitem(ENGINES, "local", lambda data, _devices, _dtype, _slots: InlineEngine(data))


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished study of three trained trials, to be read, or copied before it is changed."""
    folder = tmp_path_factory.mktemp("searched")
    run_here(["run", "--trials", "3", *QUICK], folder)
    return folder


@pytest.fixture
def with_a_study(searched: Path, own_folder: Path) -> Path:
    """A working folder with a copy of that study."""
    shutil.copytree(searched, own_folder, dirs_exist_ok=True)
    return own_folder


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of every form, to be read; `copied` gives one to be changed."""
    return shared_bundle(tmp_path_factory)


@pytest.fixture(scope="session")
def default() -> Space:
    return Space.of({}, 10_000)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with all tables and nothing in them: Optuna takes a third of a second to make one."""
    path = tmp_path_factory.mktemp("empty") / "s.db"
    Store(url_of(path)).close()
    return path.read_bytes()


@pytest.fixture
def database_kind() -> str:
    """Where `store` is: tests with the mark `every_database` run in each kind."""
    return "sqlite"


@pytest.fixture
def store(database_kind: str, tmp_path: Path, empty_database: bytes) -> Iterator[Store]:
    """All tables, with nothing in them. A server's is used for the next test too: leave its tables as they are."""
    if database_kind != "sqlite":
        yield shared_store(database_kind)
        return
    (tmp_path / "s.db").write_bytes(empty_database)
    opened = Store(url_of(tmp_path / "s.db"))
    yield opened
    opened.close()


@pytest.fixture
def database_url(database_kind: str, tmp_path: Path, empty_database: bytes) -> Iterator[str]:
    """A database of one's own, with all tables and nothing in them, to be changed at will."""
    if database_kind == "sqlite":
        (tmp_path / "own.db").write_bytes(empty_database)
        yield url_of(tmp_path / "own.db")
    else:
        server = shared_server(database_kind)
        url = server.new_database()
        yield url
        server.drop(url)


@pytest.fixture
def empty_url(database_kind: str, tmp_path: Path) -> Iterator[str]:
    """A database of one's own, without tables."""
    if database_kind == "sqlite":
        yield url_of(tmp_path / "empty.db")
    else:
        server = shared_server(database_kind)
        url = server.new_database(with_tables=False)
        yield url
        server.drop(url)


@pytest.fixture
def study_id(store: Store) -> int:
    return new_study(store)._study_id
