"""The examples of docs/python.md and the cells of docs/notebook.ipynb, run in their order."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
OF_OTHERS = {"TensorBoard": "tensorboard", "MLflow": "mlflow", "Weights & Biases": "wandb"}

pytestmark = pytest.mark.usefixtures("own_folder", "inline_engine")


@pytest.fixture(autouse=True)
def _without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra packages are not installed: a bundle is then made in a third of the time."""
    monkeypatch.setattr("trainer.formats.onnx_files._PACKAGES", ("a_package_that_nobody_has",))


def example_of(tracker: str) -> str:
    [found] = re.findall(rf"### {tracker}\n\n```python\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def run(source: str, names: dict[str, Any]) -> None:
    exec(compile(source, "docs", "exec"), names)  # a page of ours


def test_the_examples_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    own = [one for one in EXAMPLES if one not in map(example_of, OF_OTHERS)]
    for example in own:
        run(example, names)
    out = capsys.readouterr().out.splitlines()
    assert len(own) == len(EXAMPLES) - len(OF_OTHERS)
    assert re.fullmatch(r"<trial \d+: [\d.]+% with [\d,]+ parameters, .*not verified: one training>", out[0])
    assert names["proof"].facts["n_seeds"] == 2
    assert names["model"].answers(_black())[0].name in "0123456789"
    assert out[-1] == f"{names['mine'].arch.params} too_few_seeds"


def _black() -> Any:
    import numpy as np

    return np.zeros((1, 28, 28), np.uint8)


@pytest.mark.parametrize("tracker", OF_OTHERS)
def test_each_tracker_s_example_is_short_and_can_be_compiled(tracker: str) -> None:
    example = example_of(tracker)
    assert f"import {OF_OTHERS[tracker]}" in example or f".{OF_OTHERS[tracker]} import" in example
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    compile(example, tracker, "exec")


@pytest.mark.filterwarnings("default::DeprecationWarning")
@pytest.mark.skipif(find_spec("tensorboard") is None, reason="TensorBoard is not installed")
def test_the_example_for_tensorboard_writes_each_epoch() -> None:
    names: dict[str, Any] = {}
    run(f"from mnist_search import search\n{example_of('TensorBoard')}", names)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from mnist_search import load_study
    from search.study.outcomes import Outcome

    written = EventAccumulator("runs")
    written.Reload()
    trained = load_study(storage="sqlite:///x.db").inner.trials(Outcome.TRAINED)
    assert trained
    for trial in trained:
        points = written.Scalars(f"accuracy/trial {trial.number}")
        accuracies = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
        assert [point.value for point in points] == pytest.approx(accuracies, abs=1e-6)
        assert [point.step for point in points] == [1, 2, 3]


def test_the_cells_of_the_notebook() -> None:
    notebook = json.loads((ROOT / "docs" / "notebook.ipynb").read_text())
    assert notebook["nbformat"] == 4
    assert {cell["cell_type"] for cell in notebook["cells"]} == {"code", "markdown"}
    names: dict[str, Any] = {}
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == []
        *lines, last = "".join(cell["source"]).splitlines()
        run("\n".join(lines), names)
        try:
            shown.append(eval(compile(last, "cell", "eval"), names))
        except SyntaxError:
            run(last, names)
    assert (ROOT / "docs" / "notebook.ipynb").stat().st_size < 10_000
    assert "<table>" in names["study"]._repr_html_()
    assert names["proof"].facts["n_seeds"] == 2
    assert shown[-1][0].name in "0123456789"
