"""Runs what storage promises in every kind of database."""

import pytest

from tests.helpers.shared_servers import KINDS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = list(metafunc.definition.iter_markers())
    has_a_choice = any(mark.name == "parametrize" and mark.args[0] == "database_kind" for mark in marks)
    is_marked = any(mark.name == "every_database" for mark in marks)
    if is_marked and not has_a_choice and "database_kind" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", ["sqlite", *KINDS])
