"""The files of another network, for those who swap them."""

from pathlib import Path

import pytest

from tests.helpers.bundles import digits, network
from trainer.bundle.written import write_forms


@pytest.fixture(scope="module")
def other_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    write_forms(network(1), "other", digits().train, digits().test, folder, has_int8=True)
    return folder
