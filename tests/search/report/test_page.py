"""The report as a file: what is in it of small and large studies, and that it asks nobody for anything."""

import html
import re
import time
from pathlib import Path

from search.report.page import build_page, write_report
from search.study.outcomes import Outcome
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.pages import SCRIPT, figures, shown_text


def test_a_study_in_which_nothing_ended_gives_a_page(own_folder: Path) -> None:
    study = made_study(own_folder, 0)
    text = shown_text(build_page(study, None))
    assert "Nothing trained yet: the study has no trial that ended." in text
    assert "The winner" not in text
    assert figures(build_page(study, None)) == []


def test_a_study_of_one_trial(own_folder: Path) -> None:
    study = made_study(own_folder, 1)
    page = build_page(study, None)
    assert figures(page) == ["history", "pareto", "intermediate", "timeline", "loss", "accuracy", "lr"]
    text = shown_text(page)
    assert "Importances and parallel coordinates need at least two trained trials that differ; there is one." in text
    assert "Left out: trial 0 has no weights, it was trained: train it with mnist-search train 0 --out DIR ." in text


def test_nothing_is_loaded_from_anywhere(own_folder: Path) -> None:
    study = made_study(own_folder, 20)
    add_verification(study, study.trials(Outcome.TRAINED)[0].number, [0.99] * 5)
    page = build_page(study, None)
    markup = SCRIPT.sub("", page)
    loaded = re.findall(r"""(?:src|href|srcset|data|action)\s*=\s*["']([^"']*)""", markup)
    assert [one for one in loaded if not one.startswith(("data:", "#"))] == []
    assert re.findall(r"@import|url\(|<(?:link|script)[^>]*https?:", page[: page.index("<body>")][:3000]) == []
    assert "<script src" not in page
    assert "default-src 'none'" in page
    assert page.count("plotly.js v") == 1


EVIL = '<script>alert("x")</script></script><b>&amp;'


def test_a_study_may_be_called_anything(own_folder: Path) -> None:
    study = made_study(own_folder, 6, name=EVIL)
    made_study(own_folder, 6, name=f"{EVIL} at random", sampler="random")
    page = build_page(study, None)
    assert "<script>alert" not in page
    assert 'alert("x")' not in page
    assert f"mnist-search report · study {EVIL} · " in html.unescape(re.sub("</?b>", "", page))
    assert "figure-arms" in page
    assert len(re.findall(r"<script\b", page)) == page.count("</script>")


def test_five_thousand_trials(own_folder: Path) -> None:
    study = made_study(own_folder, 5_000)
    began = time.process_time()  # others may keep the machine busy
    size_bytes = write_report(study, None, own_folder / "report.html")
    assert time.process_time() - began < 40  # 10 s were measured
    assert size_bytes < 7_000_000
    text = shown_text((own_folder / "report.html").read_text())
    assert "trained trials the best 100 are drawn and 200 others, chosen at random" in text
