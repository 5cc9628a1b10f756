"""The split: exact, stratified, the same each time, and away from the test images."""

from collections import Counter
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import MnistSearchError
from tests.helpers.datasets import numbered
from trainer.data.digits import load_digits
from trainer.data.images import Dataset, Images
from trainer.data.names import SPLITS
from trainer.data.split import HOLDOUT_SHARE, holdout_index, split_data, usual_sizes

labels_lists = st.lists(st.integers(0, 9), min_size=1, max_size=300).map(np.array)
shares = st.floats(0.01, 0.99) | st.sampled_from([1 / 6, 0.5, 0.1])


@settings(derandomize=True, deadline=None, max_examples=200)
@given(labels_lists, shares, st.integers(0, 2**32))
def test_a_split_is_exact_and_stratified(labels: np.ndarray, share: float, seed: int) -> None:
    kept, out = holdout_index(labels, share, seed)
    assert len(out) == round(share * len(labels))
    assert sorted([*kept, *out]) == list(range(len(labels)))  # complete and disjoint
    assert list(kept) == sorted(kept)
    assert list(out) == sorted(out)
    of_class = Counter(labels[out].tolist())
    for cls, n in Counter(labels.tolist()).items():
        assert abs(of_class[cls] - share * n) < 1 + 1e-9


def test_the_largest_remainders_get_the_rest() -> None:
    labels = np.repeat([3, 5, 7], [5, 7, 4])  # a quarter: 1.25, 1.75 and 1 make 4
    assert Counter(labels[holdout_index(labels, 0.25, 0)[1]].tolist()) == {3: 1, 5: 2, 7: 1}
    labels = np.repeat([0, 1, 2, 3], [27, 18, 29, 6])  # a tenth: 2.7, 1.8, 2.9 and .6 make 8
    assert Counter(labels[holdout_index(labels, 0.1, 0)[1]].tolist()) == {0: 3, 1: 2, 2: 3}


@settings(derandomize=True, deadline=None, max_examples=30)
@given(labels_lists, shares, st.integers(0, 2**32))
def test_a_seed_splits_always_alike(labels: np.ndarray, share: float, seed: int) -> None:
    for first, second in zip(
        holdout_index(labels, share, seed), holdout_index(labels.copy(), share, seed), strict=True
    ):
        np.testing.assert_array_equal(first, second)


def test_another_seed_splits_otherwise() -> None:
    labels = np.arange(600) % 10
    splits = {tuple(holdout_index(labels, HOLDOUT_SHARE, seed)[1]) for seed in range(20)}
    assert len(splits) == 20


def test_every_image_may_be_held_out() -> None:
    labels = np.arange(60) % 10
    held = np.concatenate([holdout_index(labels, HOLDOUT_SHARE, seed)[1] for seed in range(200)])
    # 200 draws of 1 of each class's 6: 33 of each image, give or take five standard deviations of 5.3
    times = np.bincount(held, minlength=60)
    assert times.sum() == 2000
    assert times.min() > 33 - 27
    assert times.max() < 33 + 27


def test_ten_thousand_of_sixty_thousand_are_held_out() -> None:
    kept, out = holdout_index(np.random.default_rng(1).integers(0, 10, 60_000), HOLDOUT_SHARE, 0)
    assert (len(kept), len(out)) == (50_000, 10_000)


def numbers_of(images: Images) -> list[int]:
    numbers = images.pixels[:, 0, 0].int() * 256 + images.pixels[:, 0, 1]
    assert (numbers % 10 == images.labels).all()  # each still has its own label
    return numbers.tolist()


class Untouchable:
    """Stands for images that must not be looked at: it has not even a length."""


def test_the_holdout_split_never_touches_the_test_images() -> None:
    dataset = Dataset("numbers", numbered(0, 600), cast(Any, Untouchable()))
    data = split_data(dataset, "holdout")
    assert len(data.evaluation) == 100
    assert sorted(numbers_of(data.train) + numbers_of(data.evaluation)) == list(range(600))


def test_the_test_split_learns_from_all_and_is_judged_by_the_test_images() -> None:
    data = split_data(Dataset("numbers", numbered(0, 600), numbered(600, 50)), "test")
    assert numbers_of(data.train) == list(range(600))
    assert numbers_of(data.evaluation) == list(range(600, 650))


def test_the_holdout_is_the_same_each_time() -> None:
    first, second = (split_data(Dataset("numbers", numbered(0, 600), numbered(0, 1)), "holdout") for _ in range(2))
    assert numbers_of(first.evaluation) == numbers_of(second.evaluation)


def test_the_usual_sizes_are_those_of_the_splits() -> None:
    for split in SPLITS:
        data = split_data(load_digits(), split)
        assert usual_sizes("digits", split) == (len(data.train), len(data.evaluation))
    assert usual_sizes("mnist", "test") == (60_000, 10_000)
    assert usual_sizes("mnist", "holdout") == (50_000, 10_000)


@pytest.mark.parametrize("split", SPLITS)
def test_the_fewest_images_that_can_be_split(split: str) -> None:
    assert len(split_data(Dataset("few", numbered(0, 4), numbered(4, 2)), split).evaluation) > 0
    with pytest.raises(MnistSearchError, match=r"^few has 3 training images: use 4 or more$"):
        split_data(Dataset("few", numbered(0, 3), numbered(4, 2)), split)
