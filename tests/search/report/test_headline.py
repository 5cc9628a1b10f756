"""The first paragraph of a report: what was found, and what is to be done next."""

import re
from pathlib import Path

import pytest

from search.report.headline import answer, next_step, results_text, verdict_text
from search.report.page import build_page
from search.report.reproduce import next_command
from search.report.winner import find_winner
from search.study.study import SearchStudy, create_study
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.pages import shown_text


def answer_of(study: SearchStudy) -> str:
    return answer(study, find_winner(study))


def test_the_answer_when_nothing_reached_the_target(own_folder: Path) -> None:
    study = made_study(own_folder, 1)
    params = study.trial(0).user_attrs["params"]
    assert answer_of(study) == (
        f"Nothing reached 99.00% on the digits of scikit-learn among 1 candidate; the best, with {params:,} "
        "parameters, came to 98.50% on the held-out images, in one training."
    )
    assert next_step(study, find_winner(study)) == (
        "The winner is not verified yet: this is one training, on the images that chose it among 1 candidate, which "
        "flatters. Fresh seeds and the test images would tell."
    )


def test_the_answer_when_the_search_reached_it(own_folder: Path) -> None:
    study = made_study(own_folder, 1, target=0.98, dataset="digits")
    params = study.trial(0).user_attrs["params"]
    assert answer_of(study) == (
        f"The smallest network that reached 98.00% on the digits of scikit-learn in this search has {params:,} "
        "parameters: 98.50% on the held-out images, in one training; it is not verified yet."
    )


def test_the_answer_says_that_the_test_images_chose(own_folder: Path) -> None:
    study = made_study(own_folder, 1, target=0.98, split="test")
    assert "98.50% on the test images, which also chose it, in one training" in answer_of(study)
    assert "so its accuracies are not clean" in shown_text(build_page(study, None))


def test_the_answer_when_it_is_verified(own_folder: Path) -> None:
    study = made_study(own_folder, 1, sustain=1)
    params = study.trial(0).user_attrs["params"]
    add_verification(study, 0, [0.995, 0.993, 0.993, 0.993, 0.9895])
    winner = find_winner(study)
    assert winner is not None
    assert answer(study, winner) == (
        "The smallest network that this search has proven to reach 99.00% on the digits of scikit-learn has "
        f"{params:,} parameters: trained again with 5 fresh seeds, it came to 99.27% ± 0.20 on the test images, and "
        "4 of the 5 runs held the target in each of the last 1 epoch."
    )
    assert (next_step(study, winner), next_command(study, winner)) == (None, None)
    assert verdict_text(winner) == ("Verified at 99.00%: the mean is at or above it, and so is its whole 95% interval.")
    assert results_text(study.settings, winner) == (
        f"{params:,} parameters; over 5 seeds 99.27% ± 0.20 sustained on the test images (95% interval of the mean: "
        "99.02% to 99.51%), lowest seed 98.95%, best single epoch 99.50%; training accuracy 99.07%, gap -0.20 points."
    )


@pytest.mark.parametrize(
    ("accuracies", "told", "why", "settle"),
    [
        (
            [0.995, 0.993, 0.991, 0.993, 0.989],
            "99.22% ± 0.23 on the test images over 5 fresh seeds; that is on target, but the 95% interval of the mean, "
            "98.93% to 99.50%, reaches below it",
            "On target, not proven at 99.00%: the mean is at or above it, but its 95% interval reaches below",
            "about 2 more seeds would settle it",
        ),
        (
            [0.991, 0.989, 0.987, 0.992, 0.985],
            "98.88% ± 0.29 on the test images over 5 fresh seeds; that is below the target, though the 95% interval of "
            "the mean, 98.52% to 99.23%, reaches it",
            "Below target at 99.00%: the mean is below it, but its 95% interval reaches it",
            "about 20 more seeds would settle it",
        ),
        (
            [0.97] * 5,
            "97.00% ± 0.00 on the test images over 5 fresh seeds; the 95% interval of the mean, 97.00% to 97.00%, is "
            "below the target",
            "Refuted at 99.00%: the mean is below it, and so is its whole 95% interval",
            None,
        ),
        (
            [0.999],
            "99.90% on the test images over 1 fresh seed; so few prove nothing",
            "Too few seeds at 99.00%: the mean of so few seeds proves nothing",
            "4 more seeds are needed",
        ),
    ],
)
def test_the_answer_when_nothing_is_proven(
    own_folder: Path, accuracies: list[float], told: str, why: str, settle: str | None
) -> None:
    study = made_study(own_folder, 1)
    params = study.trial(0).user_attrs["params"]
    add_verification(study, 0, accuracies)
    winner = find_winner(study)
    assert winner is not None
    assert answer(study, winner) == (
        "No network is proven to reach 99.00% on the digits of scikit-learn: trial 0, with "
        f"{params:,} parameters, came to {told}."
    )
    assert verdict_text(winner) == f"{why}{f'; {settle}' if settle else ''}."
    text = shown_text(build_page(study, None))
    assert verdict_text(winner) in text
    command = next_command(study, winner)
    if settle is None:
        assert (next_step(study, winner), command) == (None, None)
    else:
        assert next_step(study, winner) == f"{settle[0].upper()}{settle[1:]}."
        assert command is not None
        n_seeds = len(accuracies) + int(re.findall(r"\d+", settle)[0])
        assert f"verify 0 --seeds {n_seeds} --epochs 4 --study digits " in command
        assert "--study digits --precision float32" in command.replace(" \\\n ", "")


def test_a_study_of_which_nothing_was_ever_begun(own_folder: Path) -> None:
    made = made_study(own_folder, 0)
    other = create_study(made.store, "other", made.settings)
    assert answer_of(other) == "Nothing trained yet: the study has no trial that ended."
