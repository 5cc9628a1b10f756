"""Imports run one way: the map in docs/design.md is the one table of allowed arrows, and agrees with the imports."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP = ("models", "trainer", "search", "storage", "mnist_search")
ENTRY = "mnist_search/__main__"
"""The console script: a file of its own on the map, which calls the room that calls its folder."""
FORBIDDEN_PACKAGES = {
    "models": {"optuna", "sqlalchemy"},
    "trainer": {"optuna", "sqlalchemy"},
    "storage": set[str](),
    "search": set[str](),
    "mnist_search": set[str](),
}
_ROW = re.compile(r"^\| `([\w/]+)` \| .+? \|(.*)\|$", re.MULTILINE)


def the_map() -> dict[str, set[str]]:
    """Each room, and the rooms it may import."""
    rows = _ROW.findall((ROOT / "docs" / "design.md").read_text().partition("## The way of a candidate")[0])
    return {room: set(re.findall(r"`([\w/]+)`", imports)) for room, imports in rows}


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a file or module: a folder of one of the top rooms, or a top room itself."""
    if "/".join(parts[:2]) == ENTRY:
        return ENTRY
    inner = ROOT.joinpath(*parts[:2])
    return "/".join(parts[:2] if len(parts) > 1 and inner.is_dir() else parts[:1])


def files(top: str) -> list[Path]:
    return sorted((ROOT / top).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file names in imports, those within functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}: relative imports hide an arrow"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows() -> dict[str, set[str]]:
    """Each room, and the rooms it imports."""
    found: dict[str, set[str]] = {}
    for path in (path for top in TOP for path in files(top)):
        place = path.relative_to(ROOT).with_suffix("").parts
        here = room_of(place if "/".join(place) == ENTRY else place[:-1])
        modules = (tuple(module.split(".")) for module in imported(path))
        there = {room_of(parts) for parts in modules if parts[0] in TOP}
        found.setdefault(here, set()).update(there - {here})
    return {room: there for room, there in found.items() if there or any((ROOT / room).glob("[!_]*.py"))}


def test_the_map_agrees_with_the_imports() -> None:
    assert arrows() == the_map()


def test_no_circle() -> None:
    assert list(TopologicalSorter(the_map()).static_order())  # raises CycleError


@pytest.mark.parametrize("top", TOP)
def test_the_top_rooms_keep_their_direction(top: str) -> None:
    anywhere = set(TOP)  # that only the command line, of all search, imports mnist_search: the map
    allowed = {"models": {"models"}, "trainer": {"models", "trainer"}, "storage": {"storage"}}.get(top, anywhere)
    modules = {module.partition(".")[0] for path in files(top) for module in imported(path)}
    assert modules & set(TOP) <= allowed
    assert not modules & FORBIDDEN_PACKAGES[top]


def test_the_floors_of_search_are_those_of_the_page() -> None:
    """Every arrow within `search` goes down, to a floor below."""
    page = (ROOT / "docs" / "design.md").read_text()
    drawn = re.search(r"an arrow only ever goes down:\n\n((?: {4}.+\n)+)", page)
    assert drawn
    floors = [line.split() for line in drawn[1].splitlines()]
    level = {f"search/{name}": -number for number, floor in enumerate(floors) for name in floor}
    within = {(a, b) for a, there in the_map().items() for b in there if {a, b} <= set(level)}
    assert set(level) == {room for room in the_map() if room.startswith("search/")}
    assert [(a, b) for a, b in within if level[a] <= level[b]] == []


def test_only_the_command_line_imports_the_python_api() -> None:
    assert {room for room, there in the_map().items() if "mnist_search" in there} == {ENTRY, "search/cli"}


def test_search_has_no_loose_files() -> None:
    assert [path.name for path in (ROOT / "search").glob("*.py")] == ["__init__.py"]


def folders_with_code(top: str) -> list[str]:
    """The folders of a room that have files of their own."""
    return sorted({str(path.parent.relative_to(ROOT)) for path in files(top) if path.name != "__init__.py"})


@pytest.mark.parametrize("folder", [folder for top in TOP for folder in folders_with_code(top)])
def test_the_tests_of_a_folder_are_in_the_folder_of_the_same_path(folder: str) -> None:
    assert list((ROOT / "tests" / folder).glob("test_*.py")), f"tests/{folder} has no test"


def test_helpers_of_tests_live_in_one_place() -> None:
    """Beside tests there are conftest.py and tests/helpers, and nobody imports from a test."""
    others = [path for path in files("tests") if not re.match(r"(test_|conftest|__init__)", path.name)]
    assert {path.parent for path in others} == {ROOT / "tests" / "helpers"}
    modules = {module for path in files("tests") for module in imported(path) if module.startswith("tests.")}
    assert [module for module in modules if not module.startswith("tests.helpers.")] == []
