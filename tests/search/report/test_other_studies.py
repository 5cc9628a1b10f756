"""The report on other studies beside this one."""

from pathlib import Path

from search.report.other_studies import find_arms
from search.report.page import build_page
from tests.helpers.made_studies import made_study
from tests.helpers.pages import shown_text


def test_studies_that_asked_something_else_are_left_out(own_folder: Path) -> None:
    study = made_study(own_folder, 6)
    made_study(own_folder, 6, name="random", sampler="random")
    made_study(own_folder, 6, name="longer", epochs=9)
    made_study(own_folder, 0, name="empty", sampler="random")
    assert [arm.name for arm in find_arms(study)] == ["digits", "random"]
    text = shown_text(build_page(study, None))
    assert "Beside other searches for the same" in text
    assert "digits (tpe) " in text
    assert "random (random) " in text
