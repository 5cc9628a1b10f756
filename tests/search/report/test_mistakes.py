"""The images that the winner misreads."""

from pathlib import Path
from typing import Any

import pytest

from search.report.mistakes import find_answers, find_mistakes
from search.report.page import build_page
from search.report.winner import find_winner
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.pages import SCRIPT, figures, shown_text


def test_the_mistakes_of_a_verification(own_folder: Path) -> None:
    study = made_study(own_folder, 1)
    add_verification(study, 0, [0.993, 0.991, 0.992, 0.994, 0.995])
    winner = find_winner(study)
    assert winner is not None
    answers = find_answers(study, winner, None)
    assert answers.whose == "seed 1 of the verification, the median of 5, on the test images"
    mistakes, n_all = find_mistakes(answers)
    assert [(one.number, one.n_wrong) for one in mistakes[:3]] == [(3, 5), (14, 5), (21, 1)]
    assert n_all == len(mistakes) == 7
    assert mistakes[0].taken_for == f"{(mistakes[0].label + 1) % 10}\u00a0×5"
    page = build_page(study, None)
    assert SCRIPT.sub("", page).count('src="data:image/png;base64,') == len(mistakes)
    assert figures(page)[-1] == "confusion"


def test_data_that_is_not_there_is_not_fetched(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made_study(own_folder, 1, dataset="mnist")

    def refuse(*_: Any) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr("trainer.data.find.fetch", refuse)
    text = shown_text(build_page(study, own_folder))
    assert f"Left out: the images of mnist are not in {own_folder}: name their folder with --data-dir." in text
