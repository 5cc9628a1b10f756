"""A limit of memory for every test, and at the end the number of inputs that were tried."""

import importlib
import pkgutil
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.many_inputs import COUNTS

_MOST_BYTES = 3 << 30
"""What a test may take beyond what the process has: who asks for more gets a MemoryError."""


@pytest.fixture(scope="session", autouse=True)
def _all_imported() -> None:
    """Hypothesis draws from the constants of what is imported, and is at a loss when that grows between two draws."""
    for name in ("models", "trainer", "search", "storage", "mnist_search"):
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if module.name != "trainer.formats.load_weights":
                importlib.import_module(module.name)


@pytest.fixture(autouse=True)
def _limited_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _MOST_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the inputs of a file of tests, one after the other."""
    return tmp_path_factory.mktemp("inputs")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for subject, n in COUNTS.items():
        terminalreporter.write_line(f"{subject}: {n:,} inputs")
