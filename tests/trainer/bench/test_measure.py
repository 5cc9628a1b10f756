"""The arithmetic of a round."""

import pytest

from trainer.bench.images import EPOCH_IMAGES
from trainer.bench.measure import Cost, scaled, together


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
