"""The arithmetic of a round."""

import pytest
import torch

from trainer.bench.images import EPOCH_IMAGES
from trainer.bench.measure import Cost, scaled, team_name, team_sizes, together


def test_the_start_of_an_epoch_is_counted_once() -> None:
    """Three seconds to begin with, and a millisecond an image of processor time, two of the clock."""
    first, whole = (Cost(3 + 0.002 * n, 3 + 0.001 * n) for n in (128, 1280))
    cost = scaled(first, whole, 1280)
    assert (cost.seconds, cost.core_seconds) == pytest.approx((123, 63))
    assert scaled(first, Cost(7, 5), EPOCH_IMAGES) == Cost(7, 5)


def test_the_rates_of_several_workers_add_up() -> None:
    """One does 60,000 images in 20 s, the other in 30: 5,000 a second together, as two that take 24 s each."""
    cost = together([Cost(20, 18), Cost(30, 28)])
    assert (cost.seconds, cost.core_seconds) == pytest.approx((24, 23))
    assert together([Cost(20, 18)]) == Cost(20, 18)


def test_a_gpu_has_one_slot_then_all_then_all_of_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for n_gpus, expected in ((1, ["one worker", "16 slots"]), (2, ["one worker", "16 slots", "2 workers of 16 slots"])):
        monkeypatch.setattr(torch.cuda, "device_count", lambda n=n_gpus: n)
        assert [team_name(*size) for size in team_sizes("cuda", 16)] == expected
