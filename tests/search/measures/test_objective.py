"""The objective: the mean of the last epochs, and whether each of them held."""

import pytest

from search.measures.objective import is_held, sustained_accuracy


def test_sustained_is_the_mean_of_the_last_epochs() -> None:
    assert sustained_accuracy([0.1, 0.2, 0.9, 0.8, 0.7], 3) == pytest.approx(0.8)
    assert sustained_accuracy([0.1, 0.2, 0.9], 1) == 0.9
    assert sustained_accuracy([0.4, 0.6], 3) == 0.5


@pytest.mark.parametrize("sustain", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("n_images", [10_000, 250])
def test_epochs_at_the_target_are_at_the_target(n_images: int, sustain: int) -> None:
    """For every accuracy there is: the mean of equals is none the less, as a sum of fractions may be."""
    for n_correct in range(n_images + 1):
        target = float(f"{n_correct / n_images:.4f}")  # as it is typed
        accuracies = [0.0, *[n_correct / n_images] * sustain]
        assert sustained_accuracy(accuracies, sustain) >= target
        assert is_held(accuracies, sustain, target)


def test_held_is_every_one_of_the_last_epochs() -> None:
    assert is_held([0.1, 0.994, 0.995, 0.994], 3, 0.994)
    assert not is_held([0.999, 0.9939, 0.999, 0.999], 3, 0.994)
    assert is_held([0.1, 0.9939, 0.995, 0.996, 0.997], 3, 0.994)
    assert not is_held([0.999, 0.999], 3, 0.994)
