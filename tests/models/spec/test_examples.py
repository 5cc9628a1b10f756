"""The networks of docs/layers.md: each is read, and is what the page says of it, however it is counted."""

import re
from pathlib import Path

import pytest

from models.build import build
from models.candidate import Candidate
from models.spec.file import load_spec
from tests.helpers.oracles import fvcore_counts

PAGE = (Path(__file__).parents[3] / "docs" / "layers.md").read_text()
EXAMPLES = {
    text.partition("name: ")[2].partition("\n")[0]: text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
}


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Candidate]:
    path = tmp_path / "spec.yaml"
    path.write_text(EXAMPLES[request.param])
    return EXAMPLES[request.param], load_spec(path)


def test_it_has_the_numbers_that_the_page_gives(example: tuple[str, Candidate]) -> None:
    text, candidate = example
    assert text.startswith(f"# {candidate.arch.params:,} parameters, {candidate.arch.macs:,} MACs\n")
    assert fvcore_counts(build(candidate.arch)) == (candidate.arch.params, candidate.arch.macs)
