"""The figures that draw trials one by one."""

import re
from pathlib import Path

from search.report.figures.trials import parallel
from search.study.outcomes import Outcome
from tests.helpers.made_studies import made_study


def test_the_axis_of_accuracies_tells_them_apart(own_folder: Path) -> None:
    trained = made_study(own_folder, 12).trials(Outcome.TRAINED)
    drawing = parallel(trained, ["lr", "dropout"])
    assert drawing is not None
    ticks = re.findall(r'"text":"([\d.]+)","x":0,', drawing.html)
    assert len(set(ticks)) == len(ticks) > 2
    assert ticks[-1] == f"{100 * max(trial.value or 0 for trial in trained):.2f}"
