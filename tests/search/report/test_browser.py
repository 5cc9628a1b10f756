"""The report in a browser: everything is drawn, nothing is asked of a network, a phone needs no sideways scrolling."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from search.report.page import write_report
from search.study.outcomes import Outcome
from tests.helpers.browser import console, needs_browser, open_browser, set_size
from tests.helpers.made_studies import add_verification, made_study

FIGURES = ["history", "pareto", "importances", "parallel", "intermediate", "timeline", "arms", "loss", "accuracy", "lr",
           "confusion"]  # fmt: skip
DRAWN = """
return [...document.querySelectorAll('.plotly-graph-div')].map(div => {
  const svg = div.querySelector('svg.main-svg'), box = svg ? svg.getBoundingClientRect() : {width: 0, height: 0};
  const shapes = div.querySelectorAll('.cartesianlayer path, .cartesianlayer image').length;
  return [div.id.replace('figure-', ''), box.width, box.height, shapes];
})
"""

FITTING = """
return [...document.querySelectorAll('.plotly-graph-div')].map(div => {
  const cell = div.closest('figure').getBoundingClientRect();
  const drawn = [...div.querySelectorAll('svg.main-svg')].map(svg => svg.getBoundingClientRect());
  const [left, right] = [Math.min(...drawn.map(box => box.left)), Math.max(...drawn.map(box => box.right))];
  return [div.id, left - cell.left, cell.right - right];
})
"""
LINES = """
return [...document.querySelectorAll('pre, code')].map(one => {
  const style = getComputedStyle(one), padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
  return [one.textContent, Math.round((one.clientHeight - padding) / parseFloat(style.lineHeight))];
})
"""

pytestmark = needs_browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    study = made_study(folder, 30, name="<script>throw new Error('name')</script> & co")
    made_study(folder, 20, name="random <b>", sampler="random")
    best = max(study.trials(Outcome.TRAINED), key=lambda trial: trial.value or 0.0)
    add_verification(study, best.number, [0.995, 0.993, 0.996, 0.994, 0.989])
    write_report(study, None, folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with open_browser() as driver:
        yield driver


def look(browser: webdriver.Chrome, report: Path, width: int) -> None:
    """Opens the report in a window so wide, and waits for the figures."""
    set_size(browser, width)
    browser.get(report.as_uri())


def requests(browser: webdriver.Chrome) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_offline_and_draws_everything(browser: webdriver.Chrome, report: Path, width: int) -> None:
    look(browser, report, width)
    drawn: list[Any] = browser.execute_script(DRAWN)
    assert [name for name, *_ in drawn] == FIGURES
    assert [one for one in drawn if one[1] < 250 or one[2] < 250 or one[3] == 0] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    broken = "return [...document.images].filter(image => !image.naturalWidth).length"
    assert (browser.execute_script("return document.images.length > 0"), browser.execute_script(broken)) == (True, 0)
    # Told of at all, or the two checks below would pass on an empty log.
    asked = requests(browser)
    assert report.as_uri() in asked
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert console(browser) == []


@pytest.mark.parametrize("width", [390, 700, 1000, 1280, 1600])
def test_each_figure_fits_its_cell(browser: webdriver.Chrome, report: Path, width: int) -> None:
    look(browser, report, width)
    fitting: list[Any] = browser.execute_script(FITTING)
    assert len(fitting) == len(FIGURES)
    # Half a pixel: cells have widths in parts of pixels.
    assert [one for one in fitting if min(one[1:]) < -1] == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_command_is_broken_nowhere_but_between_its_lines(browser: webdriver.Chrome, report: Path, width: int) -> None:
    look(browser, report, width)
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    lines: list[Any] = browser.execute_script(LINES)
    commands = [text for text, _ in lines if text.startswith("mnist-search ")]
    assert any("--study" in text for text in commands)
    assert all(len(text.splitlines()) == n for text, n in lines), lines
    assert [text for text in commands if "\\ " in text] == []


def test_a_figure_can_be_asked_for_its_numbers(browser: webdriver.Chrome, report: Path) -> None:
    look(browser, report, 1280)
    hover = "Plotly.Fx.hover('figure-pareto', [{curveNumber: 0, pointNumber: 0}]);"
    text = "return document.querySelector('#figure-pareto .hoverlayer').textContent"
    browser.execute_script(hover)
    assert "parameters" in str(browser.execute_script(text))


def test_its_colours_follow_the_reader_s(browser: webdriver.Chrome, report: Path) -> None:
    shades = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        look(browser, report, 1280)
        tick = "return getComputedStyle(document.querySelector('#figure-history .xtick text')).fill"
        shades.append(browser.execute_script(tick))
    assert shades == ["rgb(86, 97, 115)", "rgb(163, 173, 187)"]
