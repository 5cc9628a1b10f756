"""Runs what storage promises in every kind of database."""

import pytest

from tests.helpers.shared_servers import KINDS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = metafunc.definition.get_closest_marker("every_database") is not None
    if marked and "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", ["sqlite", *KINDS])
