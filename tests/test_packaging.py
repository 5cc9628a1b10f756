"""The shape of the product: names, dependencies, the README and --help."""

import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from search.cli.app import app
from search.space.catalogue import DEFAULT_RANGES, WIDTHS
from tests.helpers.cli import call, finish, start

ROOT = Path(__file__).parent.parent
ROOMS = ("mnist_search", "models", "trainer", "search", "storage")
COMMANDS = [command.name for command in app.registered_commands]


def test_without_a_command_the_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call([], capsys)
    assert (code, err) == (0, "")
    assert [name for name in COMMANDS if f"  {name} " not in out] == []


def test_a_reader_that_has_enough_is_no_fault(tmp_path: Path) -> None:
    """As `mnist-search presets --json | head -1`: the pipe is closed before all is written."""
    process = start(["presets", "--json"], tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_no_dependency_ships_our_names() -> None:
    owners = metadata.packages_distributions()
    for room in ROOMS:
        assert set(owners.get(room, ["mnist-search"])) == {"mnist-search"}, room


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_ends_in_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call([command, "--help"], capsys)
    assert code == 0
    assert f"Example: mnist-search {command}" in out


def test_the_readme_names_every_command_and_is_short() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme.count("\n") <= 120
    assert [name for name in COMMANDS if f"mnist-search {name}" not in readme] == []


def test_the_readme_s_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every `mnist-search COMMAND --option` of the README is understood by the real parser."""
    readme = (ROOT / "README.md").read_text()
    lines = [line.strip().removeprefix("$ ") for line in readme.splitlines() if "mnist-search " in line]
    used = {(words[i + 1], word) for line in lines for words in [line.replace("`", " ").split()]
            for i, name in enumerate(words[:-1]) if name == "mnist-search" and words[i + 1] in COMMANDS
            for word in words[i + 2 :] if word.startswith("--")}  # fmt: skip
    assert used
    helps = {command: call([command, "--help"], capsys)[1] for command in {command for command, _ in used}}
    assert [(c, o) for c, o in used if o.partition("=")[0] not in helps[c]] == []


def test_version(tmp_path: Path) -> None:
    assert finish(["--version"], tmp_path)[1] == f"mnist-search {metadata.version('mnist-search')}\n"


def test_the_page_on_the_space_lists_every_range_with_its_default() -> None:
    page = (ROOT / "docs" / "space.md").read_text()
    listed = {name: "follows the budget" if name in WIDTHS else f"`{text}`" for name, text in DEFAULT_RANGES.items()}
    assert [name for name, text in listed.items() if f"| `{name}` | {text} |" not in page] == []


def test_the_readme_has_no_gap_left_to_fill() -> None:
    assert "@@" not in (ROOT / "README.md").read_text()


def test_each_package_says_that_it_is_typed() -> None:
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").exists()] == []


@pytest.mark.usefixtures("own_folder")
def test_the_wheel_has_the_python_api_and_its_console_script(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    copy.mkdir()
    for name in (*ROOMS, "pyproject.toml", "README.md"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", ".", "."]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    with zipfile.ZipFile(next(copy.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        script = next(wheel.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    missing = {f"{room}/{file}" for room in ROOMS for file in ("__init__.py", "py.typed")} - {*names}
    assert missing == set()
    assert "mnist-search = mnist_search.__main__:main" in script
