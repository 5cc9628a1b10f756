"""How many slots a worker gets."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models.candidate import Candidate
from models.presets import get_preset
from tests.helpers.trainings import FAST, WITH_BN
from trainer.training.train import Training
from trainer.workers.slot_count import ONE, Measured, best_count, choose_slots, measure_slots

CANDIDATE = get_preset("a-step5").candidate
GIB = 2**30


@pytest.mark.parametrize(
    ("rates", "memory", "expected"),
    [
        ({1: 100.0, 2: 190.0, 4: 350.0, 8: 500.0, 16: 510.0}, 100 * GIB, 8),  # 16 gain 2 % only
        ({1: 100.0, 2: 190.0, 4: 350.0, 8: 500.0, 16: 900.0}, 100 * GIB, 16),
        ({1: 100.0, 2: 190.0, 4: 350.0, 8: 500.0, 16: 900.0}, 9 * GIB, 8),  # what fits
        ({1: 100.0, 2: 90.0}, 100 * GIB, 1),
        ({1: 100.0, 2: 190.0}, GIB // 2, 1),  # one is tried, come what may
    ],
)
def test_the_fewest_that_do_as_much_as_more(rates: dict[int, float], memory: int, expected: int) -> None:
    count = best_count(Measured(rates, GIB), memory)
    assert count.n == expected
    assert f"{expected}: {rates[expected]:,.0f}" in str(count)


def test_a_core_has_one_slot() -> None:
    assert choose_slots(CANDIDATE, "cpu", torch.float32) is ONE


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As much of a GPU as the choice looks at."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a chip")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10 * GIB, 80 * GIB))


@pytest.mark.usefixtures("gpu")
def test_a_gpu_is_measured_once() -> None:
    calls = []

    def measure(*question: object) -> Measured:
        calls.append(question)
        return Measured({1: 100.0, 2: 190.0, 4: 300.0}, GIB)

    assert choose_slots(CANDIDATE, "cuda:0", torch.float32, measure).n == 4
    assert choose_slots(CANDIDATE, "cuda:0", torch.float32, measure).n == 4
    assert len(calls) == 1
    assert choose_slots(CANDIDATE, "cuda:0", torch.bfloat16, measure).n == 4
    assert len(calls) == 2


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    "damage", ["", "[]", '{"rates": {"2": 5.0}, "bytes_each": 1}', '{"rates": 7, "bytes_each": 1}']
)
def test_what_was_kept_and_is_damaged_is_measured_again(damage: str, tmp_path: Path) -> None:
    measured = Measured({1: 100.0, 2: 190.0}, GIB)
    choose_slots(CANDIDATE, "cuda:0", torch.float32, lambda *_: measured)
    [path] = (tmp_path / "mnist-search").iterdir()
    path.write_text(damage)
    assert choose_slots(CANDIDATE, "cuda:0", torch.float32, lambda *_: Measured({1: 5.0}, 1)).n == 1


def test_measuring_really_trains_more_and_more_at_once() -> None:
    candidate = Candidate(WITH_BN, FAST)
    measured = measure_slots(candidate, "cpu", torch.float32, most=4, n_batches=2)
    assert set(measured.rates) >= {1, 2}
    assert all(rate > 0 for rate in measured.rates.values())


def test_measuring_ends_where_the_memory_does() -> None:
    made: list[Training] = []

    def until_four(*arguments: Any) -> Training:
        if len(made) == 4:  # one is to warm up
            raise torch.OutOfMemoryError("CUDA out of memory.")
        made.append(Training(*arguments))
        return made[-1]

    candidate = Candidate(WITH_BN, FAST)
    measured = measure_slots(candidate, "cpu", torch.float32, n_batches=2, min_gain=0.0, make=until_four)
    assert set(measured.rates) == {1, 2}
