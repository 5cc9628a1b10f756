"""Networks that are written and compiled once for all tests of the room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.c_programs import ARCHS, SANITISED, Written, folded, write
from trainer.c99.program import Program, compiled


@pytest.fixture(scope="package")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """Each of ARCHS as C."""
    return {name: write(folded(arch), tmp_path_factory.mktemp(name)) for name, arch in ARCHS.items()}


@pytest.fixture(scope="package", params=ARCHS)
def sanitised(request: pytest.FixtureRequest, written: dict[str, Written]) -> Iterator[tuple[Written, Program]]:
    """Each of them with its program, which ends at whatever C leaves undefined."""
    one = written[request.param]
    with compiled(one.path, SANITISED) as program:
        yield one, program


@pytest.fixture
def odd(written: dict[str, Written]) -> Written:
    return written["odd"]


@pytest.fixture
def own_odd(odd: Written, tmp_path: Path) -> Path:
    """A copy of its `model.c` to be spoilt."""
    odd.text.save(tmp_path)
    return tmp_path / "model.c"
