"""A candidate as a file, for the tests of what is done with one."""

from pathlib import Path

import pytest

SPEC = "layers: [conv: 4, maxpool: 2, conv: 6, gap, conv: {out: 10, kernel: 1, then: []}]\nrecipe: {epochs: 2}\n"


@pytest.fixture
def mine(own_folder: Path) -> Path:
    """`mine.yaml`, a small network to be trained for two epochs, in a working folder of its own."""
    path = own_folder / "mine.yaml"
    path.write_text(SPEC)
    return path
