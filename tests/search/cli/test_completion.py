"""Shell completion, asked for as the shells do: a process of its own, the line in environment variables."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.presets import KNOWN
from search.cli import completion, trials
from search.cli.app import app
from search.engines.opening import ENGINES
from search.facts.comparison import SORT_KEYS
from search.study import naming, samplers, settings, warm_start
from search.study.outcomes import Outcome
from tests.helpers.cli import COMMAND
from trainer.data.find import DATASETS
from trainer.data.names import SPLITS
from trainer.hardware.device import DEVICES
from trainer.training.precision import PRECISIONS

ROOT = str(Path(__file__).parents[3])
COMMANDS = [
    "run",
    "status",
    "trials",
    "show",
    "presets",
    "compare",
    "train",
    "verify",
    "report",
    "export",
    "predict",
    "dashboard",
    "bench",
]
MOST_TIMES = 6.0
SLOW = ("torch", "optuna", "numpy", "sqlalchemy", "rich")


def asked(arguments: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own answers; `folder` is its home and where it works."""
    environment = {**os.environ, "PYTHONPATH": ROOT, "HOME": str(folder), **variables}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def in_bash(line: str, folder: Path) -> list[str]:
    """What bash is offered at the end of a line."""
    at = len(line.split()) - (not line.endswith(" "))
    words = {"COMP_WORDS": line, "COMP_CWORD": str(at), "_MNIST_SEARCH_COMPLETE": "complete_bash"}
    answer = asked(COMMAND, folder, **words)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("", COMMANDS),
        ("s", ["status", "show"]),
        ("show a-", ["a-step1", "a-step2", "a-step3", "a-step4", "a-step5"]),
        ("show ", ["answer", "best", "smallest", *KNOWN]),
        ("verify s", ["smallest"]),
        ("compare best a-step5 c", ["c-final"]),
        ("status --st", ["--storage", "--study"]),
        ("run --sampler ", ["tpe", "random"]),
        ("run --pruner m", ["median"]),
        ("run --split ", ["holdout", "test"]),
        ("run --warm-start p", ["presets"]),
        ("train best --split h", ["holdout"]),
        ("verify --device c", ["cpu", "cuda"]),
        ("bench --device m", ["mps"]),
        ("train a-step5 --precision b", ["bfloat16"]),
        ("run --dataset f", ["fashion-mnist"]),
        ("compare --sort p", ["params"]),
        ("trials --sort s", ["seconds"]),
        ("trials --outcome r", ["rejected", "running"]),
        ("show 7 ", []),
        ("train --data-dir ", []),  # the shell offers folders itself
    ],
)
def test_what_is_offered(line: str, offered: list[str], tmp_path: Path) -> None:
    assert in_bash(f"mnist-search {line}", tmp_path) == offered


def test_spec_files_are_offered_beside_the_presets(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    for name in ("a-mine.yaml", "notes.txt", "nets/a.json", "nets/b.yml", "[.yaml"):
        (tmp_path / name).touch()
    assert in_bash("mnist-search show a-m", tmp_path) == ["a-mine.yaml"]
    assert in_bash("mnist-search train nets/", tmp_path) == ["nets/a.json", "nets/b.yml"]
    assert completion.candidates("c") == ["c-final"]


def test_zsh_and_fish(tmp_path: Path) -> None:
    line = {"_TYPER_COMPLETE_ARGS": "mnist-search show d-model"}
    zsh = asked(COMMAND, tmp_path, _MNIST_SEARCH_COMPLETE="complete_zsh", **line)
    assert (zsh.returncode, zsh.stderr) == (0, "")
    assert zsh.stdout.split() == ["_arguments", "'*:", ':(("d-model1"', '"d-model2"', '"d-model3"', '"d-model4"))\'']
    fish = {**line, "_MNIST_SEARCH_COMPLETE": "complete_fish"}
    offered = asked(COMMAND, tmp_path, _TYPER_COMPLETE_FISH_ACTION="get-args", **fish)
    assert offered.stdout.split() == ["d-model1", "d-model2", "d-model3", "d-model4"]
    assert asked(COMMAND, tmp_path, _TYPER_COMPLETE_FISH_ACTION="is-args", **fish).returncode == 0
    fish["_TYPER_COMPLETE_ARGS"] = "mnist-search show none"  # then fish offers files
    nothing = asked(COMMAND, tmp_path, _TYPER_COMPLETE_FISH_ACTION="is-args", **fish)
    assert (nothing.returncode, nothing.stderr) == (1, "")


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A folder with a command `mnist-search`, as an installation makes one."""
    script = tmp_path / "bin" / "mnist-search"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom search.cli import main\nmain()\n")
    script.chmod(0o755)
    return script.parent


def test_bash_itself(tmp_path: Path, bin_folder: Path) -> None:
    """Installed, read by a new bash as it starts, and used on a line."""
    path = f"{bin_folder}:{os.environ['PATH']}"
    installed = asked(["bash", "-c", "mnist-search --install-completion; exit $?"], tmp_path, PATH=path)
    assert installed.returncode == 0, installed.stderr
    assert "bash completion installed in " in installed.stdout
    use = (
        'COMP_WORDS=(mnist-search show d-); COMP_CWORD=2; _mnist_search_completion mnist-search; echo "${COMPREPLY[@]}"'
    )
    used = asked(["bash", "-c", f". ~/.bashrc; complete -p mnist-search; {use}"], tmp_path, PATH=path)
    assert used.stdout.splitlines() == [
        "complete -o default -F _mnist_search_completion mnist-search",
        "d-model1 d-model2 d-model3 d-model4",
    ]
    shown = asked(["bash", "-c", "mnist-search --show-completion; exit $?"], tmp_path, PATH=path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.strip() == (tmp_path / ".bash_completions" / "mnist-search.sh").read_text().strip()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_scripts_for_the_other_shells(shell: str, tmp_path: Path) -> None:
    script = asked(COMMAND, tmp_path, _MNIST_SEARCH_COMPLETE=f"source_{shell}")
    assert (script.returncode, script.stderr) == (0, "")
    assert f"_MNIST_SEARCH_COMPLETE=complete_{shell}" in script.stdout


def processor_seconds(asking: Callable[[], object]) -> float:
    """The least that a process of its own took in three times."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        asking()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds)


def test_it_is_quick(tmp_path: Path) -> None:
    """Against what a Python that only imports typer takes on this machine (a third), and by what it never loads."""
    least = processor_seconds(lambda: asked([sys.executable, "-c", "import typer"], tmp_path))
    assert processor_seconds(lambda: in_bash("mnist-search show ", tmp_path)) < MOST_TIMES * least
    listing = "import atexit, sys; atexit.register(lambda: print(*sys.modules)); from search.cli import main; main()"
    words = {"COMP_WORDS": "mnist-search show ", "COMP_CWORD": "2", "_MNIST_SEARCH_COMPLETE": "complete_bash"}
    loaded = asked([sys.executable, "-c", listing], tmp_path, **words).stdout.split()
    assert "search.cli.completion" in loaded
    assert [name for name in SLOW if name in loaded] == []


def test_the_values_offered_are_those_that_are_taken() -> None:
    assert completion.DEVICES == DEVICES
    assert completion.PRECISIONS == PRECISIONS
    assert tuple(ENGINES) == completion.ENGINES
    assert completion.DATASETS == DATASETS
    assert completion.SPLITS == SPLITS
    assert (completion.SAMPLERS, completion.PRUNERS) == (samplers.SAMPLERS, samplers.PRUNERS)
    assert completion.FINDS == settings.FINDS
    assert tuple(SORT_KEYS) == completion.SORT_KEYS
    assert tuple(trials._SORTS) == completion.TRIAL_SORT_KEYS
    assert (*Outcome, "running", "waiting") == completion.OUTCOMES
    assert completion.ALL_PRESETS == warm_start.ALL_PRESETS
    assert completion.SPEC_SUFFIXES == naming._SPEC_SUFFIXES


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_short_help_is_the_long_one(command: str, tmp_path: Path) -> None:
    short, long = (asked([*COMMAND, *command.split(), flag], tmp_path) for flag in ("-h", "--help"))
    assert (short.returncode, short.stderr, short.stdout) == (0, "", long.stdout)


@pytest.mark.parametrize(
    ("option", "values", "commands"),
    [
        ("--sampler", completion.SAMPLERS, ["run"]),
        ("--pruner", completion.PRUNERS, ["run"]),
        ("--find", completion.FINDS, ["run"]),
        ("--engine", completion.ENGINES, ["run", "verify"]),
        ("--split", completion.SPLITS, ["run", "train"]),
        ("--device", completion.DEVICES, ["run", "verify", "train", "bench"]),
        ("--precision", completion.PRECISIONS, ["run", "verify", "train", "bench"]),
        ("--dataset", completion.DATASETS, ["run", "verify", "train", "export"]),
        ("--sort", completion.SORT_KEYS, ["compare"]),
        ("--sort", completion.TRIAL_SORT_KEYS, ["trials"]),
        ("--workers", ("auto", "N"), ["run", "verify"]),
        ("--slots", ("auto", "N"), ["run", "verify"]),
    ],
)
def test_help_lists_the_values_of_an_option(option: str, values: tuple[str, ...], commands: list[str]) -> None:
    choices = f"[{'|'.join(values)}]"
    for command in commands:
        shown = CliRunner().invoke(app, [command, "-h"]).stdout
        assert re.search(rf"^  {option} {re.escape(choices)}(  .*)?$", shown, re.MULTILINE), command


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns(command: str, tmp_path: Path) -> None:
    shown = asked([*COMMAND, *command.split(), "--help"], tmp_path, COLUMNS="80")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())
    assert "..." not in re.sub(r"\[?(ARGS|WHAT)\]?\.\.\.|}\.\.\.", "", shown.stdout)
    assert ("--install-completion" in shown.stdout) == (not command)
