"""The axis of accuracies."""

import math

import pytest

from search.report.figures.look import FLOOR, accuracy_axis, errors


@pytest.mark.parametrize(
    ("accuracies", "target"), [([1.0, 0.98, 0.5], 0.98), ([1.0], 1.0), ([0.996, 1.0], 0.994), ([0.2], 0.994)]
)
def test_an_axis_of_accuracies_ends_at_100_percent(accuracies: list[float], target: float) -> None:
    axis = accuracy_axis(accuracies, target)
    labels = dict(zip(axis["ticktext"], axis["tickvals"], strict=True))
    assert all(float(label.rstrip("%")) <= 100 for label in labels)
    # What is all right stands at 100 %, which is then a label.
    assert ("100%" in labels) == (1.0 in accuracies)
    assert labels.get("100%", FLOOR) == errors([1.0])[0]
    bottom, top = axis["range"]
    assert all(top <= math.log10(error) <= bottom for error in errors([*accuracies, target]))
