"""The figures that draw trials one by one."""

import re
import time
from pathlib import Path

import pytest

from search.report.figures.trials import parallel, timeline
from search.study.outcomes import Outcome
from tests.helpers.made_studies import made_study


def test_the_axis_of_accuracies_tells_them_apart(own_folder: Path) -> None:
    trained = made_study(own_folder, 12).trials(Outcome.TRAINED)
    drawing = parallel(trained, ["lr", "dropout"])
    assert drawing is not None
    ticks = re.findall(r'"text":"([\d.]+)","x":0,', drawing.html)
    assert len(set(ticks)) == len(ticks) > 2
    assert ticks[-1] == f"{100 * max(trial.value or 0 for trial in trained):.2f}"


def test_a_report_s_times_are_utc_wherever_it_is_written(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made_study(own_folder, 12)
    here = timeline(study.snapshot.all)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        study.refresh()
        there = timeline(study.snapshot.all)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert here is not None
    assert there is not None
    assert bases(here.html) == bases(there.html) != []


def bases(html: str) -> list[str]:
    """Where the bars begin."""
    return re.findall(r'"base":\[([^\]]+)\]', html)


def test_the_floor_of_the_accuracies_lies_within_them(own_folder: Path) -> None:
    """Of few trials too: five per cent of six trials were below the worst of them."""
    trained = made_study(own_folder, 12).trials(Outcome.TRAINED)
    values = sorted(trial.value or 0 for trial in trained)
    drawing = parallel(trained, ["lr", "dropout"])
    assert drawing is not None
    found = re.search(r"accuracies below ([\d.]+)% are drawn there", drawing.caption)
    assert found is not None
    assert 100 * values[0] <= float(found[1]) <= 100 * values[1]
