"""The figures of a search as a whole."""

from search.report.figures.search import pareto_front, rising


def test_the_front_and_the_best_so_far() -> None:
    points = [(5, 0.9, "a"), (3, 0.8, "b"), (4, 0.7, "c"), (5, 0.95, "d"), (9, 0.95, "e")]
    assert [label for _, _, label in pareto_front(points)] == ["b", "d"]
    assert rising([2, 4, 7], [0.5, 0.4, 0.6]) == [(2, 0.5), (7, 0.6), (7, 0.6)]
    assert rising([], []) == []
