"""The analysis that `train` and the report print: it advises only where the images show something."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.report.winner import find_winner
from search.verification.single_training import analysis
from tests.helpers.made_studies import add_verification, made_study

OVER = "overfitting: training is above evaluation by {}; augment more"
UNDER = "underfitting: training too is below the target; the gap is {}"
NEITHER = "neither over- nor underfitting: training minus evaluation is {}"
WITHIN = NEITHER + ", within the noise of {} images"
GUESSED = "nothing learnt yet: {} in training is guessing; train longer, or at another rate"


def facts(train: float, evaluation: float, n_train: int, n_evaluation: int, target: float = 0.994) -> dict[str, Any]:
    return {
        "gap": train - evaluation,
        "train_accuracy": train,
        "sustained_accuracy": evaluation,
        "target": target,
        "n_train": n_train,
        "n_evaluation": n_evaluation,
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        # One image of 300, and all of the training images right.
        (facts(1.0, 299 / 300, 1497, 300), WITHIN.format("+0.33 points", 300)),
        # Both below the target; the gap and the training accuracy are within the noise.
        (facts(0.9920, 296 / 300, 1497, 300), WITHIN.format("+0.53 points", 300)),
        (facts(1.0, 290 / 300, 1497, 300), OVER.format("+3.33 points")),
        # The same gap as that of 300 images, of MNIST's 10,000.
        (facts(0.9973, 0.9920, 60_000, 10_000), OVER.format("+0.53 points")),
        (facts(0.9963, 0.9934, 60_000, 10_000), NEITHER.format("+0.29 points")),
        (facts(0.9940, 0.9935, 60_000, 10_000), WITHIN.format("+0.05 points", "10,000")),
        (facts(0.9900, 0.9920, 60_000, 10_000), UNDER.format("-0.20 points")),
        (facts(0.9120, 0.9300, 1497, 300), UNDER.format("-1.80 points")),
        # A first epoch that has learnt nothing, of either size.
        (facts(0.11, 0.105, 60_000, 10_000), GUESSED.format("11.00%")),
        (facts(0.1130, 32 / 300, 1497, 300), GUESSED.format("11.30%")),
        (facts(0.16, 0.1135, 60_000, 10_000), UNDER.format("+4.65 points")),
        # To augment more would not bring a network to the target that misses it in training.
        (facts(0.9432, 0.9133, 1497, 300), UNDER.format("+2.99 points")),
    ],
)  # fmt: skip
def test_the_analysis_advises_only_outside_the_noise(given: dict[str, Any], said: str) -> None:
    assert analysis(given) == said


def test_equal_networks_are_rarely_called_overfitted() -> None:
    """Accuracies of one network on two random sets: about 2.5 % of gaps lie above the interval, measured up to 3.2."""
    rng = np.random.default_rng(0)
    for right, n_train, n_evaluation in ((0.985, 1497, 300), (0.993, 60_000, 10_000)):
        draws = [(rng.binomial(n_train, right) / n_train, rng.binomial(n_evaluation, right) / n_evaluation)
                 for _ in range(1000)]  # fmt: skip
        texts = [analysis(facts(train, held, n_train, n_evaluation, 0.5)) for train, held in draws]
        assert sum(text.startswith("overfitting") for text in texts) <= 40


def test_the_report_judges_by_the_images_of_its_study(own_folder: Path) -> None:
    """A verification is judged by the 300 test images."""
    study = made_study(own_folder, 1)
    add_verification(study, 0, [0.999] * 5)
    winner = find_winner(study)
    assert winner is not None
    assert winner.analysis(study.settings) == WITHIN.format("-0.20 points", 300)
