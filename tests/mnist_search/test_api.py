"""The Python API: searches, verifications and exports that train for real, and its agreement with the command line."""

import inspect
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import mnist_search
from mnist_search import Candidate, MnistSearchError, export, load_model, load_study, search, verify
from mnist_search.watching import Watcher
from models.recipe import Recipe
from search.cli import export as export_command
from search.cli import run
from search.cli import verify as verify_command
from search.dispatch.listener import RunningTrial, TrialEnded
from search.measures.verdict import Verdict
from search.study.outcomes import Outcome
from tests.helpers.cli import call, environment
from tests.helpers.trainings import LEARNER

SET = {
    "stem_depth": 1, "body_depth": 1, "stem_width": "2:6", "body_width": "2:6", "transition_width": "2:4",
    "n_expansions": 0, "batch_size": [64],
}  # fmt: skip
QUICK: dict[str, Any] = {"dataset": "digits", "epochs": 2, "sustain": 1, "max_params": 2000, "set": SET}
URL = "sqlite:///x.db"

inline = pytest.mark.usefixtures("own_folder", "inline_engine")


@pytest.fixture(autouse=True)
def _without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra packages are not installed: a bundle is then made in a third of the time."""
    monkeypatch.setattr("trainer.formats.onnx_files._PACKAGES", ("a_package_that_nobody_has",))


@inline
def test_a_search_returns_its_study_which_is_verified_exported_and_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    study = search(**QUICK, trials=3, storage=URL, pruner="none", precision="float32", target=0.1)
    assert study.inner.n_past_gate() == 3
    trained = study.inner.trials(Outcome.TRAINED)
    assert study.best is not None
    assert study.best.accuracy == max(trial.value or 0 for trial in trained)
    assert [one.params for one in study.front] == sorted(one.params for one in study.front)
    assert isinstance(study.optuna, optuna.Study)
    answer = study.answer
    assert answer is not None
    assert (answer.params, answer.rests_on) == (answer.candidate.arch.params, "not verified: one training")
    proof = verify(answer, seeds=2, epochs=2, precision="float32", target=0.1)
    assert proof.verdict is Verdict.TOO_FEW_SEEDS
    assert proof.accuracy == pytest.approx(np.mean([run["sustained_accuracy"] for run in proof.facts["runs"]]))
    assert proof.interval is not None
    assert proof.interval[0] <= proof.accuracy <= proof.interval[1]
    again = load_study(storage=URL).answer  # it knows of the verification
    assert again is not None
    manifest = export(again, "model/", no_int8=True)
    assert manifest["name"] == f"digits-trial-{again.number}"
    model = load_model("model")
    assert model.logits(np.zeros((2, 28, 28), np.uint8)).shape == (2, 10)
    out, err = capsys.readouterr()
    assert out == ""
    assert "data: the embedded digits (1,797 scans)" in err
    assert "3/3" in err  # the bar


@inline
def test_without_progress_nothing_is_printed_and_the_same_call_resumes(capsys: pytest.CaptureFixture[str]) -> None:
    for n in (1, 2):
        assert search(**QUICK, trials=n, storage=URL, progress=False).inner.n_past_gate() == n
    assert tuple(capsys.readouterr()) == ("", "")


@inline
def test_callbacks_hear_of_each_epoch_and_each_trial() -> None:
    epochs: list[RunningTrial] = []
    ended: list[TrialEnded] = []
    study = search(
        **QUICK, trials=2, storage=URL, pruner="none", progress=False, on_epoch=epochs.append, on_trial=ended.append
    )
    trained = study.inner.trials(Outcome.TRAINED)
    expected = [(trial.number, epoch) for trial in trained for epoch in (1, 2)]
    assert [(one.number, one.epoch) for one in epochs] == expected
    assert [one.record.epoch for one in epochs if one.record] == [epoch for _, epoch in expected]
    assert [one.accuracy for one in ended if one.outcome is Outcome.TRAINED] == [trial.value for trial in trained]


@inline
def test_a_callback_that_raises_ends_the_search_and_what_had_ended_is_kept() -> None:
    def fail(_trial: object) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        search(**QUICK, trials=2, storage=URL, progress=False, on_trial=fail)
    assert load_study(storage=URL).inner.n_past_gate() == 1
    assert search(**QUICK, trials=2, storage=URL, progress=False).inner.n_past_gate() == 2


@inline
def test_ctrl_c_stops_the_search_and_raises_once_it_has_stopped() -> None:
    def interrupt(_trial: object) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        search(**QUICK, trials=50, storage=URL, progress=False, on_trial=interrupt)
    assert load_study(storage=URL).inner.n_past_gate() == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@inline
def test_a_candidate_made_by_hand_is_verified_and_exported() -> None:
    candidate = Candidate(LEARNER, Recipe(epochs=1, batch_size=32))
    proof = verify(candidate, seeds=1, dataset="digits", precision="float32", progress=False, storage=URL)
    assert (proof.facts["params"], proof.facts["n_seeds"]) == (candidate.arch.params, 1)
    assert proof.interval is None
    manifest = export(candidate, "mine", storage=URL, no_int8=True, progress=False)
    assert manifest["name"] == f"candidate-{candidate.id}"


def test_the_study_as_a_table_and_in_a_notebook(
    with_a_study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = load_study()
    code, out, _ = call(["trials", "--json"], capsys)
    assert (code, study.trials()) == (0, json.loads(out))
    table = study.trials_dataframe()
    assert list(table.index) == [one["trial"] for one in study.trials()]
    assert set(study.trials()[0]["values"]) <= {*table.columns}
    assert study.facts()["answer"]["trial"] == (study.answer.number if study.answer else None)
    html = study._repr_html_()
    assert "<th>answer</th><td>&lt;trial " in html
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas: pip install pandas"):
        study.trials_dataframe()


@pytest.mark.parametrize(
    ("function", "command", "more"),
    [
        (search, run.command, {"on_epoch", "on_trial"}),
        (verify, verify_command.command, set[str]()),
        (export, export_command.command, set[str]()),
    ],
    ids=["search", "verify", "export"],
)
def test_arguments_are_the_options_of_the_command(function: Any, command: Any, more: set[str]) -> None:
    of_function, of_command = (inspect.signature(one).parameters for one in (function, command))
    assert set(of_function) - {"progress", "watcher"} - more == set(of_command) - {"json", "check"}
    shown = {name: one.default for name, one in of_command.items() if name in of_function}
    # The database of the command line is its option's default, or that of an environment variable.
    assert {name: str(value) for name, value in shown.items() if name != "storage"} == {
        name: str(of_function[name].default) for name in shown if name != "storage"
    }


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"trials": 0}, "--trials 0"),
        ({"workers": 0}, "--workers 0"),
        ({"slots": 999}, "--slots 999"),
        ({"engine": "slurm"}, "unknown engine 'slurm': use local or ray"),
        ({"timeout": "soon"}, "--timeout soon: write a duration"),
        ({"set": {"no_such": 3}}, "no_such"),
        ({"ray_address": "auto"}, "--ray-address is for --engine ray"),
    ],
)
@pytest.mark.usefixtures("own_folder")
def test_arguments_that_are_not_possible_raise_one_line(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(MnistSearchError, match=text) as raised:
        search(dataset="digits", progress=False, **arguments)
    assert "\n" not in str(raised.value)
    assert list(Path().iterdir()) == [] or not Path("mnist-search.db").exists()


@pytest.mark.usefixtures("with_a_study")
def test_verify_and_export_refuse_in_one_line() -> None:
    for wrong in ({"seeds": 0}, {"top": 0}, {"epochs": 0}, {"what": "3", "top": 2}, {"what": "nobody"}):
        with pytest.raises(MnistSearchError):
            verify(**{"progress": False, **wrong})  # type: ignore[arg-type]
    with pytest.raises(MnistSearchError, match="--seed 0"):
        export(seed=0, progress=False)


UNGUARDED = """
from mnist_search import search
print("imported", __name__)
study = search(dataset="digits", epochs=1, sustain=1, max_params=2000, trials=2, workers=1, progress=False,
               set={"stem_width": "2:4", "body_width": "2:4", "body_depth": 1, "stem_depth": 1, "n_expansions": 0})
print(study.inner.n_past_gate())
"""

STARTS_ANOTHER = """
import multiprocessing
from mnist_search import MnistSearchError, search
def nothing(): pass
try:
    search(trials=0)
except MnistSearchError as error:
    print(str(error).partition(":")[0], flush=True)
process = multiprocessing.get_context("spawn").Process(target=nothing)
if __name__ == "__main__":
    process.start()
    process.join()
"""


def test_a_script_without_a_guard_searches_once(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(UNGUARDED)
    assert _run(tmp_path, "mine.py").stdout == "imported __main__\n2\n"


def test_a_process_that_imports_the_script_again_is_told_so_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(STARTS_ANOTHER)
    assert _run(tmp_path, "mine.py").stdout.splitlines() == [
        "--trials 0",
        "search() was called while a process of this script starts, which imports the script again",
    ]


def _run(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, script]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=True)


def test_importing_the_package_is_quick_and_lists_its_names(tmp_path: Path) -> None:
    program = "import sys, mnist_search; print(sorted({'torch', 'optuna', 'numpy', 'rich'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert set(mnist_search.__all__) <= set(dir(mnist_search))
    assert [name for name in mnist_search.__all__ if getattr(mnist_search, name).__name__ != name] == []
    with pytest.raises(AttributeError, match="has no attribute 'serach'"):
        mnist_search.serach  # noqa: B018


def test_the_command_line_has_a_watcher_of_its_own() -> None:
    from search.cli.terminal import Terminal

    own = {name for name, one in vars(Watcher).items() if inspect.isfunction(one)} - {"__init__"}
    assert own <= set(vars(Terminal))
