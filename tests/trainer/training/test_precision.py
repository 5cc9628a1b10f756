"""The number format: the choice from given timings, what is kept of them, and one real measurement."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.arch import ArchSpec
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.layers import Conv, Gap, MaxPool
from models.recipe import Recipe
from models.schedules import Step
from trainer.training import precision
from trainer.training.precision import Precision, choose_precision, fastest, measure_steps, valid_formats

ARCH = ArchSpec((Conv(2), MaxPool(), Gap(), Conv(10, 1, then=())))
CANDIDATE = Candidate(ARCH, Recipe(batch_size=32))

pytestmark = pytest.mark.usefixtures("own_folder")


class Measured:
    """Stands for a measurement: says what it is told to, and notes what it was asked for."""

    def __init__(self, float32: float, bfloat16: float) -> None:
        self.seconds = {"float32": float32, "bfloat16": bfloat16}
        self.asked: list[tuple[Candidate, str, list[str]]] = []

    def __call__(self, candidate: Candidate, device: str, names: list[str]) -> dict[str, float]:
        self.asked.append((candidate, device, names))
        return self.seconds


def kept() -> Path:
    [path] = Path("mnist-search").glob("precision-*.json")
    return path


@pytest.mark.parametrize(
    ("float32", "bfloat16", "dtype", "text"),
    [
        (0.027, 0.0149, torch.bfloat16, "bfloat16 (14.9 ms a step, float32 27.0, measured)"),
        (0.0149, 0.027, torch.float32, "float32 (14.9 ms a step, bfloat16 27.0, measured)"),
        (0.0105, 0.01, torch.bfloat16, "bfloat16 (10.0 ms a step, float32 10.5, measured)"),
        (0.0104, 0.01, torch.float32, "float32 (10.4 ms a step, bfloat16 10.0, measured)"),
        (1.5, 1.5, torch.float32, "float32 (1,500.0 ms a step, bfloat16 1,500.0, measured)"),
    ],
)
def test_the_fastest_is_taken_if_it_gains_five_percent(
    float32: float, bfloat16: float, dtype: torch.dtype, text: str
) -> None:
    chosen = fastest({"float32": float32, "bfloat16": bfloat16})
    assert (chosen.dtype, str(chosen)) == (dtype, text)
    assert chosen.step_seconds == {"float32": float32, "bfloat16": bfloat16}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_asked_for_is_not_measured(dtype: torch.dtype) -> None:
    measured = Measured(1, 2)
    name = str(dtype).removeprefix("torch.")
    chosen = choose_precision(name, "cpu", CANDIDATE, measure=measured)
    assert (chosen, chosen.name, str(chosen)) == (Precision(dtype, "asked for"), name, f"{name} (asked for)")
    assert measured.asked == []


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(MnistSearchError, match="unknown precision 'half': use auto, float32 or bfloat16"):
        choose_precision("half", "cpu", CANDIDATE)


def test_a_gpu_trains_in_float32_until_another_format_is_shown_to_be_as_accurate() -> None:
    assert valid_formats("cuda:0") == ["float32"]


def test_where_there_is_one_format_nothing_is_measured() -> None:
    measured = Measured(1, 2)
    assert str(choose_precision("auto", "mps", CANDIDATE, measure=measured)) == "float32 (the one format used on mps)"
    assert measured.asked == []


def test_it_is_measured_once() -> None:
    measured = Measured(0.02, 0.01)
    first, second = (choose_precision("auto", "cpu", CANDIDATE, measure=measured) for _ in range(2))
    assert first == second == fastest(measured.seconds)
    assert len(measured.asked) == 1
    assert json.loads(kept().read_text()) == measured.seconds


def test_what_does_not_change_a_step_is_not_measured_again() -> None:
    measured = Measured(0.02, 0.01)
    other = replace(CANDIDATE, recipe=replace(CANDIDATE.recipe, epochs=3, lr=0.2, schedule=Step(1, 0.5)))
    for candidate in (CANDIDATE, other):
        choose_precision("auto", "cpu", candidate, measure=measured)
    assert len(measured.asked) == 1


def test_another_shape_is_measured_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured(0.02, 0.01)
    larger = replace(CANDIDATE, recipe=replace(CANDIDATE.recipe, batch_size=64))
    choose_precision("auto", "cpu", CANDIDATE, measure=measured)
    choose_precision("auto", "cpu", larger, measure=measured)
    choose_precision("auto", "cpu", CANDIDATE, n_threads=2, measure=measured)
    monkeypatch.setattr(precision, "load_kernels", lambda: None)
    choose_precision("auto", "cpu", CANDIDATE, measure=measured)
    monkeypatch.setattr(torch, "__version__", "9.9")
    choose_precision("auto", "cpu", CANDIDATE, measure=measured)
    monkeypatch.setattr(precision, "cpu_fingerprint", lambda: "another processor")
    choose_precision("auto", "cpu", CANDIDATE, measure=measured)
    assert len(measured.asked) == 6


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", "null", '{"float32": 1}', '{"float32": 0.01, "bfloat16": "x"}', '{"float32": 1, "bfloat16": 0}',
     '{"float32": 1, "bfloat16": NaN}', '{"float32": 1, "bfloat16": null}', "\xff\xfe"],
)  # fmt: skip
def test_a_damaged_file_is_measured_again_and_mended(damage: str) -> None:
    measured = Measured(0.02, 0.01)
    choose_precision("auto", "cpu", CANDIDATE, measure=measured)
    kept().write_text(damage, encoding="latin-1")
    assert choose_precision("auto", "cpu", CANDIDATE, measure=measured) == fastest(measured.seconds)
    assert len(measured.asked) == 2
    assert json.loads(kept().read_text()) == measured.seconds


def test_a_folder_that_cannot_be_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", "file")
    measured = Measured(0.02, 0.01)
    for n in (1, 2):
        assert choose_precision("auto", "cpu", CANDIDATE, measure=measured).dtype == torch.bfloat16
        assert len(measured.asked) == n


def test_the_threads_are_those_of_the_training_and_set_back() -> None:
    threads: list[int] = []

    def measure(*_: object) -> dict[str, float]:
        threads.append(torch.get_num_threads())
        return {"float32": 1, "bfloat16": 2}

    before = torch.get_num_threads()
    choose_precision("auto", "cpu", CANDIDATE, n_threads=before + 1, measure=measure)
    assert (threads, torch.get_num_threads()) == ([before + 1], before)


@pytest.mark.parametrize("batch_size", [1, 32, 1000])
def test_a_real_measurement(batch_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_MEASURING_SECONDS", 0.05)
    candidate = replace(CANDIDATE, recipe=replace(CANDIDATE.recipe, batch_size=batch_size, schedule=Step(1, 0.5)))
    seconds = measure_steps(candidate, "cpu", ["float32", "bfloat16"])
    assert list(seconds) == ["float32", "bfloat16"]
    assert all(0 < value < 60 for value in seconds.values())
