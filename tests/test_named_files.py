"""Files and modules that documents, docstrings and comments name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("models", "trainer", "storage", "search", "benchmarks")
PAGES = [ROOT / "README.md", ROOT / "Makefile", *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/results/*.md")]
SOURCES = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in (".py", ".c", ".h", ".html")]
PLACES = sorted([*PAGES, *SOURCES])

_PATH = re.compile(r"(?<![\w/.~-])((?:\.\./|[\w-]+/)+[\w-]+\.(?:py|md|c|h|jsonl?|yaml))\b")
_FOLDER = re.compile(r"`((?:models|trainer|storage|search|tests|docs|benchmarks)/[\w/-]*)`")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_MODULE = re.compile(r"(?:python -m |`)((?:models|trainer|storage|search|benchmarks)\.\w+(?:\.\w+)*)")


def is_there(name: str, place: Path) -> bool:
    """Paths are told from the root, or in links from the page."""
    return (ROOT / name).exists() or (place.parent / name).exists()


def is_module(name: str) -> bool:
    """Of a name such as `storage.verifications.add_run` the part before the last dot is the module."""
    return any(_is_file(ROOT / one.replace(".", "/")) for one in (name, name.rpartition(".")[0]) if "." in one)


def _is_file(path: Path) -> bool:
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@pytest.mark.parametrize("place", PLACES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_is_there(place: Path) -> None:
    text = place.read_text()
    named = [*_PATH.findall(text), *_FOLDER.findall(text), *(_LINK.findall(text) if place.suffix == ".md" else [])]
    assert [name for name in named if not is_there(name, place)] == []
    assert [name for name in _MODULE.findall(text) if not is_module(name)] == []


def test_the_patterns_find_what_they_look_for() -> None:
    """Or the test above would hold whatever is written."""
    everything = "\n".join(path.read_text() for path in PLACES)
    assert "search/space/catalogue.py" in _PATH.findall(everything)
    assert "trainer/fused/" in _FOLDER.findall(everything)
    assert "docs/design.md" in _LINK.findall((ROOT / "README.md").read_text())
    assert "benchmarks.profile_step" in _MODULE.findall(everything)
    assert not is_there("search/space/gone.py", ROOT / "README.md")
    assert not is_module("search.gone.module")
