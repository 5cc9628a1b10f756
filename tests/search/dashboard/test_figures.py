"""The figures of a study on its page."""

import json
import random
import re
from pathlib import Path
from typing import Any

import plotly.io
import pytest

from search.dashboard.figures import figure_texts
from search.report.figures.sample import N_BEST, N_RANDOM
from search.report.winner import find_winner
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from storage.store import Store
from tests.helpers.growing_studies import CANDIDATES, begin, empty_study, end, trained
from tests.helpers.made_studies import add_verification, made_study

NAMES = ["pareto", "over-time", "outcomes"]


def figures_of(study: SearchStudy) -> dict[str, Any]:
    """The figures by their names, as plotly reads them."""
    study.refresh()
    texts = figure_texts(study, find_winner(study))
    for one in texts:
        assert set(one) == {"id", "graph_object"}
        json.loads(one["graph_object"], parse_constant=pytest.fail)  # a browser knows no NaN
    return {one["id"]: plotly.io.from_json(one["graph_object"]) for one in texts}


def numbers_in_pareto(figure: Any) -> list[int]:
    return [int(label.removeprefix("trial ")) for _, label in figure.data[0].customdata]


def test_every_trial_is_in_them(store: Store) -> None:
    study = empty_study(store)
    for n, accuracy in enumerate((0.9, 0.95, 0.97, 0.93)):
        trained(study, n % 2, 0.8, accuracy, accuracy, active_seconds=60.0 * (4 - n))
    end(study, begin(study, -1), Outcome.REJECTED)
    end(study, begin(study, 1), Outcome.FAILED)
    begin(study, 2)
    figures = figures_of(study)
    assert list(figures) == NAMES
    assert numbers_in_pareto(figures["pareto"]) == [0, 1, 2, 3]
    dots, best = figures["over-time"].data[:2]
    assert [row[0] for row in dots.customdata] == [3, 2, 1, 0]
    assert list(dots.x) == [1, 2, 3, 4]
    assert [round(1 - y, 6) for y in best.y] == [0.93, 0.97, 0.97]
    bars = {bar.name: sum(bar.y) for bar in figures["outcomes"].data}
    assert bars == {"trained (4)": 4, "rejected (1)": 1, "failed (1)": 1}
    for figure in figures.values():
        assert figure.layout.title.text
        assert figure.layout.height == 450


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_one_trial_is_enough_whatever_it_came_to(store: Store, accuracy: float) -> None:
    study = empty_study(store)
    trained(study, 0, accuracy, accuracy, accuracy)
    assert list(figures_of(study)) == NAMES
    trained(study, 1, 1 - accuracy, 1 - accuracy, 1 - accuracy)
    assert list(figures_of(study)) == NAMES


def test_the_verified_one_is_marked(store: Store) -> None:
    study = empty_study(store)
    trained(study, 0, 0.99, 0.99, 0.99)
    add_verification(study, 0, [0.995] * 5)
    assert "winner, verified (test images)" in {trace.name for trace in figures_of(study)["pareto"].data}


def test_trials_that_were_rejected_are_counted_and_nothing_else(store: Store) -> None:
    study = empty_study(store)
    begin(study, 0)
    assert figures_of(study) == {}
    for _ in range(3):
        end(study, begin(study, -1), Outcome.REJECTED)
    assert list(figures_of(study)) == ["outcomes"]
    end(study, begin(study, 0), Outcome.DUPLICATE)
    end(study, begin(study, 0), Outcome.INTERRUPTED)
    assert [bar.name for bar in figures_of(study)["outcomes"].data] == ["rejected (3)"]


def test_only_duplicates_are_nothing_to_draw(store: Store) -> None:
    study = empty_study(store)
    end(study, begin(study, 0), Outcome.DUPLICATE)
    assert figures_of(study) == {}


def test_old_trials_without_their_time_are_drawn_against_parameters(store: Store) -> None:
    study = empty_study(store)
    trial_id = begin(study, 0)
    end(study, trial_id, Outcome.TRAINED, 0.9)
    figures = figures_of(study)
    assert list(figures) == NAMES
    assert numbers_in_pareto(figures["pareto"]) == [0]
    assert len(figures["over-time"].data[0].x) == 0


def test_of_very_many_a_sample_is_drawn_with_all_that_none_beats(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller networks at the front are among the worst: they are drawn all the same."""
    monkeypatch.setattr("search.report.figures.sample.N_BEST", 3)
    monkeypatch.setattr("search.report.figures.sample.N_RANDOM", 4)
    study = empty_study(store)
    rng = random.Random(0)
    accuracies = {n: 0.9 + 0.005 * n for n in range(len(CANDIDATES) - 1)}  # larger ones are better: all at the front
    drawn = [(n, accuracies[n] - 0.001 * rng.random() - 0.0001) for n in accuracies for _ in range(2)]
    order = [*drawn, *((n, accuracy) for n, accuracy in accuracies.items())]
    rng.shuffle(order)
    for candidate, accuracy in order:
        trial_id = begin(study, candidate)
        end(study, trial_id, Outcome.TRAINED, accuracy, active_seconds=1.0)
    study.refresh()
    trials = [(t.user_attrs["params"], t.value or 0.0, t.number) for t in study.trials(Outcome.TRAINED)]
    front = {
        number
        for params, accuracy, number in trials
        if not any(p <= params and a >= accuracy and (p, a) != (params, accuracy) for p, a, _ in trials)
    }
    figures = figures_of(study)
    shown = set(numbers_in_pareto(figures["pareto"]))
    assert front <= shown
    assert len(shown) < len(trials)
    assert len(shown) <= len(front) + 7
    assert {row[0] for row in figures["over-time"].data[0].customdata} == shown
    assert sum(figures["outcomes"].data[0].y) == len(trials)


def test_up_to_the_limit_all_are_drawn_and_bars_stand_for_several(tmp_path: Path) -> None:
    study = made_study(tmp_path, 300)
    numbers = [trial.number for trial in study.trials(Outcome.TRAINED)]
    assert 100 < len(numbers) <= N_BEST + N_RANDOM
    figures = figures_of(study)
    assert numbers_in_pareto(figures["pareto"]) == numbers
    for bar in figures["outcomes"].data:
        assert len(bar.x) <= 100
    assert sum(sum(bar.y) for bar in figures["outcomes"].data) == 300
    assert re.fullmatch(r"of \d+ trials", figures["outcomes"].layout.yaxis.title.text)
    study.store.close()
