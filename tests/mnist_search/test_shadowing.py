"""Modules of others that have the names of our packages are named in one line, before anything of ours is imported."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from mnist_search.shadowing import MARK, PACKAGES, shadowed_text
from tests.helpers.cli import COMMAND, environment

ROOT = Path(__file__).parents[2]


def run(command: list[str], folder: Path, *first: Path) -> "subprocess.CompletedProcess[str]":
    env = environment(folder)
    env["PYTHONPATH"] = ":".join(map(str, (*first, env["PYTHONPATH"])))
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_module_of_the_user_s_on_the_path(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    done = run([*COMMAND, "--version"], tmp_path, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"mnist-search: {tmp_path / name}.py shadows its package `{name}`: rename the file, or remove its folder from "
        "sys.path (PYTHONPATH)\n"
    )


def test_a_package_of_another_distribution(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "site-packages"
    (site / "trainer").mkdir(parents=True)
    (site / "trainer" / "__init__.py").touch()
    (site / "loops-1.0.dist-info").mkdir()
    (site / "loops-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: loops\nVersion: 1.0\n")
    (site / "loops-1.0.dist-info" / "RECORD").write_text("trainer/__init__.py,,\n")
    done = run([*COMMAND, "--version"], tmp_path, site)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"mnist-search: {site}/trainer/__init__.py (distribution loops) shadows its package `trainer`: install "
        "mnist-search in an environment of its own\n"
    )


def test_a_distribution_installed_over_ours(tmp_path: Path) -> None:
    """Both wrote `trainer/__init__.py` into one folder, and theirs came later."""
    for name in ("mnist_search", *PACKAGES):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text((ROOT / name / "__init__.py").read_text())
    for file in ("__main__.py", "shadowing.py"):
        (tmp_path / "mnist_search" / file).write_text((ROOT / "mnist_search" / file).read_text())
    (tmp_path / "trainer" / "__init__.py").write_text("")
    command = [sys.executable, "-c", "from mnist_search.__main__ import main; main()"]
    done = run(command, tmp_path, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mnist-search: {tmp_path}/trainer/__init__.py shadows its package `trainer`: ")


@pytest.mark.parametrize("program", ["from mnist_search import search", "import mnist_search; mnist_search.Candidate"])
def test_an_import_raises_the_line(program: str, tmp_path: Path) -> None:
    (tmp_path / "storage.py").touch()
    done = run([sys.executable, "-c", program], tmp_path, tmp_path)
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"mnist_search.shadowing.ShadowedError: {tmp_path}/storage.py shadows its package `storage`")


def test_a_module_that_is_imported_already(tmp_path: Path) -> None:
    program = (
        "import sys, types; sys.modules['models'] = types.ModuleType('models'); import mnist_search as m; m.search"
    )
    done = run([sys.executable, "-c", program], tmp_path)
    assert "a module without a file shadows its package `models`" in done.stderr.splitlines()[-1]


def test_ours_shadow_nothing_and_each_has_its_mark(tmp_path: Path) -> None:
    assert shadowed_text() is None
    assert [name for name in PACKAGES if not (ROOT / name / "__init__.py").read_text().startswith(MARK)] == []
    done = run([sys.executable, "-m", "mnist_search", "--version"], tmp_path)
    assert done.stdout == f"mnist-search {metadata.version('mnist-search')}\n"
