"""Which trial is the winner, and what is told of it."""

from pathlib import Path

from search.report.page import build_page
from search.report.winner import find_winner
from search.study.outcomes import Outcome
from search.study.study import candidate_of
from search.study.warm_start import queue
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.pages import shown_text


def test_the_smallest_of_those_verified_at_the_target_wins(own_folder: Path) -> None:
    study = made_study(own_folder, 12)
    trained = sorted(study.trials(Outcome.TRAINED), key=lambda trial: trial.user_attrs["params"])
    small, large = trained[0], trained[-1]
    add_verification(study, large.number, [0.999] * 5)
    add_verification(study, small.number, [0.98] * 5)
    winner = find_winner(study)
    assert winner is not None
    assert winner.trial.number == large.number
    add_verification(study, trained[1].number, [0.991] * 5)
    winner = find_winner(study)
    assert winner is not None
    assert winner.trial.number == trained[1].number


def test_a_winner_that_was_given_to_the_search_is_told_as_such(own_folder: Path) -> None:
    study = made_study(own_folder, 12, target=0.98)
    attrs = study.trial(0).user_attrs
    queue(study, {"mine.yaml": candidate_of(study.trial(0))})
    trial = study.optuna.ask()
    for name, value in attrs.items():
        trial.set_user_attr(name, value)
    study.optuna.tell(trial, 0.999)
    add_verification(study, trial.number, [0.999] * 5)
    text = shown_text(build_page(study, None))
    assert "It was given 1 candidate to begin with: mine.yaml." in text
    assert f"The winner: trial {trial.number}" in text
    assert "The search did not think of this network: it was given it to begin with, as mine.yaml." in text
    assert "Networks that the search was given have no such values." in text
    assert "others, chosen at random" not in text
