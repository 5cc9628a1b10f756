"""Which trials of a large study are drawn."""

from pathlib import Path

from search.report.figures.sample import N_BEST, N_RANDOM, thinned
from search.study.outcomes import Outcome
from tests.helpers.made_studies import made_study


def test_a_sample_holds_the_best(own_folder: Path) -> None:
    trials = made_study(own_folder, 1_000).trials(Outcome.TRAINED)
    drawn = thinned(trials)
    assert len(drawn) == N_BEST + N_RANDOM
    best = sorted(trials, key=lambda trial: -(trial.value or 0))[:N_BEST]
    assert {trial.number for trial in best} <= {trial.number for trial in drawn}
    assert thinned(trials) == drawn
