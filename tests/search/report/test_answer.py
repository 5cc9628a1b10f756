"""The first paragraph of a report: what was found, and what is to be done next."""

from pathlib import Path

from search.report.answer import answer, next_step, results_text
from search.report.page import build_page
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
    add_verification(study, 0, [0.995, 0.993, 0.991, 0.993, 0.989])
    winner = find_winner(study)
    assert winner is not None
    assert answer(study, winner) == (
        "The smallest network that this search has proven to reach 99.00% on the digits of scikit-learn has "
        f"{params:,} parameters: trained again with 5 fresh seeds, it came to 99.22% ± 0.23 on the test images, and "
        "4 of the 5 runs held the target in each of the last 1 epoch."
    )
    assert next_step(study, winner) is None
    assert results_text(study.settings, winner) == (
        f"{params:,} parameters; over 5 seeds 99.22% ± 0.23 sustained on the test images (95% interval of the mean: "
        "98.93% to 99.50%), lowest seed 98.90%, best single epoch 99.50%; training accuracy 99.02%, gap -0.20 points."
    )


def test_a_verification_that_failed_is_told_first(own_folder: Path) -> None:
    study = made_study(own_folder, 1, target=0.98)
    params = study.trial(0).user_attrs["params"]
    add_verification(study, 0, [0.97] * 5)
    assert answer_of(study) == (
        f"No network is proven to reach 98.00% on the digits of scikit-learn: the best that was verified, with "
        f"{params:,} parameters, came to 97.00% ± 0.00 on the test images over 5 fresh seeds."
    )


def test_a_study_of_which_nothing_was_ever_begun(own_folder: Path) -> None:
    made = made_study(own_folder, 0)
    other = create_study(made.store, "other", made.settings)
    assert answer_of(other) == "Nothing trained yet: the study has no trial that ended."
