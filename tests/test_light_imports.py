"""What a process must not import: each of these takes seconds, or is not there where workers alone are wanted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OF_THE_SEARCH = {"optuna", "sqlalchemy", "rich", "typer", "yaml", "sklearn", "torchvision", "fvcore", "ray"}

TRAINERS = """
import json, sys
import trainer.workers.worker, trainer.workers.remote, trainer.data.images, trainer.data.split, trainer.formats.trained
worker = sorted(sys.modules)
import trainer.bench.__main__, trainer.bench.run, trainer.bench.text
print(json.dumps([worker, sorted(sys.modules)]))
"""

LOOKING = """
import contextlib, sys
from search.cli.app import main
for words in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        main(words.split())
    print(words, "torch" in sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def of_trainers() -> list[set[str]]:
    """All modules of a process, once with what a worker imports, and once more with what the bench imports."""
    done = subprocess.run([sys.executable, "-c", TRAINERS], cwd=ROOT, capture_output=True, text=True, check=True)
    return [set(names) for names in json.loads(done.stdout)]


def test_a_worker_needs_only_torch_and_numpy(of_trainers: list[set[str]]) -> None:
    assert OF_THE_SEARCH & of_trainers[0] == set()


def test_the_bench_needs_none_of_the_command_line_s_dependencies(of_trainers: list[set[str]]) -> None:
    assert OF_THE_SEARCH & of_trainers[1] == set()


def test_a_spawned_worker_imports_nothing_through_the_script_that_started_it() -> None:
    """multiprocessing runs the console script's imports again in each worker: these must be light."""
    program = "import sys, search.cli; print(sorted({'optuna', 'sqlalchemy', 'typer', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_ray_is_imported_by_nobody_who_did_not_ask_for_it() -> None:
    program = (
        "import sys, search.engines.opening, search.engines.places, search.cli.run, search.verification.verifier; "
        "print(search.engines.places.here('cpu', 1).devices, 'ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "['cpu'] False\n"


def test_who_only_looks_does_not_wait_for_torch(own_folder: Path, searched: Path) -> None:
    """Importing it takes longer than all that these commands do."""
    storage = f"--storage sqlite:///{searched / 'mnist-search.db'}"
    commands = [
        "--help", "presets", "show a-step5", "compare a-step1 a-step2", "status",
        f"status {storage}", f"show best {storage}", f"compare best a-step5 {storage}",
        *(f"{name} --help" for name in ("run", "verify", "train", "report", "export", "predict", "dashboard", "bench")),
    ]  # fmt: skip
    command = [sys.executable, "-c", LOOKING, *commands]
    env = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=own_folder, env=env, capture_output=True, text=True, check=True)
    said = [line for line in done.stderr.splitlines() if line.endswith((" True", " False"))]
    assert said == [f"{words} False" for words in commands]
    assert "a-step5" in done.stdout
    assert "3 past the gate" in done.stdout
