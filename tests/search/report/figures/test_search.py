"""The figures of a search as a whole."""

from search.report.figures.search import rising


def test_the_best_so_far() -> None:
    assert rising([2, 4, 7], [0.5, 0.4, 0.6]) == [(2, 0.5), (7, 0.6), (7, 0.6)]
    assert rising([], []) == []
