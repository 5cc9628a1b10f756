"""Files and modules that documents, docstrings and comments name are there; what they say to run can be run."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.helpers.cli import call
from tests.helpers.markdown import read_markdown

ROOT = Path(__file__).parent.parent
ROOMS = ("mnist_search", "models", "trainer", "storage", "search", "benchmarks")
PAGES = [ROOT / "README.md", ROOT / "Makefile", *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/results/*.md")]
SOURCES = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in (".py", ".c", ".h", ".html")]
PLACES = sorted([*PAGES, *SOURCES])

_PATH = re.compile(r"(?<![\w/.~-])((?:\.\./|[\w-]+/)+[\w-]+\.(?:py|md|c|h|jsonl?|yaml))\b")
_FOLDER = re.compile(r"`((?:models|trainer|storage|search|tests|docs|benchmarks)/[\w/-]*)`")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"[\w./-]*\w\.(?:ya?ml|json|png|jpe?g|npz|pt2|onnx|safetensors|db|py|c|h)")
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


TO_READ = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/*/*.md")]


def commands_of(page: Path) -> list[str]:
    """What a page says to type: lines of its blocks that begin with a command, and such a command in its text."""
    read = page.read_text()
    lines = "\n".join(read_markdown(read).blocks).replace("\\\n", " ").splitlines()
    typed = [line.strip().removeprefix("$ ") for line in lines]
    typed += re.findall(r"`((?:mnist-search|python3?|cc) [^`]+)`", read)
    return [line for line in typed if re.match(r"(?:mnist-search|python3?|cc|pip) ", line)]


def files_of(command: str) -> list[str]:
    """The files that a command reads."""
    words = shlex.split(command, comments=True)
    read = [word for word, before in zip(words, ["", *words], strict=False) if before not in ("-o", "--out")]
    return [word for word in read if _FILE.fullmatch(word)]


@pytest.mark.parametrize("page", TO_READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_command_names_are_there(page: Path) -> None:
    """From the root of the clone; in the card of a bundle, from its folder too."""
    places = [ROOT, page.parent] if page.name == "MODEL_CARD.md" else [ROOT]
    named = [name for command in commands_of(page) for name in files_of(command)]
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def test_commands_and_their_files_are_found() -> None:
    named = {page.name: [name for one in commands_of(page) for name in files_of(one)] for page in TO_READ}
    assert {"docs/model/arch.json", "docs/images/seven.png"} <= set(named["README.md"])
    assert "benchmarks/results/records/ranges-separable.yaml" in named["smallest.md"]
    assert "docs/model/model.c" in named["bundle.md"]
    assert "model.c" in named["MODEL_CARD.md"]


# docs/python.md has a test of its own, where its examples follow each other.
SNIPPETS = [(page, code) for page in TO_READ if page.name != "python.md" for code in _SNIPPET.findall(page.read_text())]


@pytest.mark.parametrize(("page", "code"), SNIPPETS, ids=[page.name for page, _ in SNIPPETS])
def test_python_snippets_run_as_printed(page: Path, code: str) -> None:
    """In a fresh interpreter, from the root of the clone or the folder of the card."""
    folder = page.parent if page.name == "MODEL_CARD.md" else ROOT
    program = [sys.executable, "-c", f"{code}\nprint(tuple(logits.shape))"]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "(2, 10)\n" if folder == ROOT else "(20, 10)\n"), done.stderr


def test_there_are_snippets_of_the_readme_and_of_the_card() -> None:
    assert [page.name for page, _ in SNIPPETS] == ["README.md", "MODEL_CARD.md", "MODEL_CARD.md"]


def test_the_picture_of_the_readme_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(["predict", str(ROOT / "docs/model"), str(ROOT / "docs/images/seven.png")], capsys)
    assert (code, err) == (0, "")
    assert re.search(r"seven\.png\s+7\s", out)


@pytest.mark.parametrize("place", [*PLACES, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_what_is_installed_is_the_clone(place: Path) -> None:
    """`pip install` names the clone, not a project of a registry, and extras that there are."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for line in re.findall(r"pip install .*", place.read_text()):
        assert not re.search(r"""pip install (?:-\S+ )*['"]?mnist-search\b""", line), line
        named = re.findall(r"(?:['\" ]\.|/mnist-search)\[([\w,]+)\]", line)
        assert {extra for names in named for extra in names.split(",")} <= extras.keys()
