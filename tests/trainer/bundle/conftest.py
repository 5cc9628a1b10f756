"""A second bundle, of another network, for those who swap files."""

from pathlib import Path

import pytest

from tests.helpers.bundles import make, network


@pytest.fixture(scope="module")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other") / "bundle"
    make(folder, network(1))
    return folder
