"""Numbers in words."""

from search.measures.words import percent


def test_an_accuracy_is_never_rounded_up_past_a_target_it_missed() -> None:
    assert percent(0.99396667) == "99.39%"
    assert percent(0.994) == "99.40%"
    assert percent((0.9940 + 0.9940 + 0.9940) / 3) == "99.40%"
    assert percent(1.0) == "100.00%"
    assert percent(None) == "-"
