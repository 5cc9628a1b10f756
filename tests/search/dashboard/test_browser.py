"""The dashboard in a browser, as its user sees it."""

import csv
import io
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from search.dashboard.access import Access
from search.dashboard.opening import Dashboard
from search.study.outcomes import Outcome
from search.study.study import SearchStudy, candidate_of
from storage.epochs import epochs_of
from tests.helpers.browser import console, needs_browser, open_browser, set_size, until
from tests.helpers.cli import start
from tests.helpers.dashboards import serving, url_said
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.running import SLOWER, sql

OURS = {"pareto": "Accuracy against parameters", "over-time": "Sustained accuracy over time",
        "outcomes": "How the trials ended"}  # fmt: skip
DRAWN = """
const drawn = {};
for (const plot of document.querySelectorAll('.js-plotly-plot')) {
  drawn[plot.id] = plot.querySelectorAll('.cartesianlayer path, .barlayer path').length;
}
return drawn
"""

LONG = ["--epochs", "20", "--pruner", "none"]

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with open_browser() as driver:
        set_size(driver, 1400, 1000)
        yield driver


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SearchStudy:
    """Of 30 trials, the best of which is verified; its smallest at the target is another than Optuna's best."""
    study = made_study(tmp_path_factory.mktemp("browser"), 30, target=0.98)
    best = study.best()
    assert best is not None
    add_verification(study, best.number, [0.995, 0.993, 0.996, 0.994, 0.989])
    return study


@pytest.fixture(scope="module")
def served(study: SearchStudy) -> Iterator[Dashboard]:
    with serving(study.store.folder) as dashboard:
        yield dashboard


def path_of(dashboard: Dashboard, path: str) -> str:
    return f"{dashboard.url.partition('/dashboard')[0]}/dashboard{path}"


def text_of(browser: webdriver.Chrome) -> str:
    return str(browser.find_element(By.TAG_NAME, "body").text)


def shows(browser: webdriver.Chrome, *texts: str) -> None:
    """Waits until the page has all of them."""
    try:
        until(lambda: all(text in text_of(browser) for text in texts))
    except AssertionError:
        shown = text_of(browser)
        missing = [text for text in texts if text not in shown]
        raise AssertionError(f"{missing} not in:\n{shown}\n{console(browser)}") from None


def with_icon(browser: webdriver.Chrome, icon: str, tag: str = "button") -> WebElement:
    [found] = browser.find_elements(By.XPATH, f"//{tag}[.//*[@data-testid='{icon}']]")
    return found


def open_trial(browser: webdriver.Chrome, served: Dashboard, number: int) -> None:
    browser.get(path_of(served, f"/studies/1/trials?numbers={number}"))
    shows(browser, f"Trial {number} (trial_id=")


def test_from_the_list_to_a_study_whose_figures_are_drawn(
    browser: webdriver.Chrome, served: Dashboard, study: SearchStudy
) -> None:
    browser.get(path_of(served, ""))
    shows(browser, "digits")
    browser.find_element(By.XPATH, "//a[contains(@href, '/dashboard/studies/1')]").click()
    best = study.best()
    assert best is not None
    shows(browser, f"Best Trial (number={best.number})", "fewer than 10,000 parameters", "report.html")
    wanted = [f"user-defined-plot:{name}" for name in OURS]
    drawn = until(lambda: _all_drawn(browser, wanted))
    assert drawn is not None
    assert len(drawn) >= 7, "those of optuna-dashboard itself too"
    assert all(title in text_of(browser) for title in OURS.values())
    assert console(browser) == []


def _all_drawn(browser: webdriver.Chrome, wanted: list[str]) -> dict[str, int] | None:
    drawn: dict[str, int] = browser.execute_script(DRAWN)
    return drawn if all(drawn.get(name) for name in wanted) and all(drawn.values()) else None


@pytest.mark.parametrize("outcome", [Outcome.TRAINED, Outcome.PRUNED, Outcome.REJECTED])
def test_a_trial_explains_itself(
    browser: webdriver.Chrome, served: Dashboard, study: SearchStudy, outcome: Outcome
) -> None:
    trial = study.trials(outcome)[0]
    open_trial(browser, served, trial.number)
    said = {
        Outcome.TRAINED: "Held 98.00% in each of its last 3 epochs",
        Outcome.PRUNED: "Stopped after epoch 2",
        Outcome.REJECTED: "Rejected before training",
    }
    shows(browser, said[outcome], "Recipe:", f"mnist-search show {trial.number} --study digits")
    rows = browser.find_elements(By.XPATH, "//table//tbody/tr")
    assert len(rows) == len(candidate_of(trial).arch.layers)
    params = sum(int(row.find_elements(By.TAG_NAME, "td")[7].text.replace(",", "")) for row in rows)
    assert params == trial.user_attrs["params"]
    pictures = browser.find_elements(By.TAG_NAME, "img")
    if outcome is Outcome.REJECTED:
        assert pictures == []
    else:
        until(lambda: all(browser.execute_script("return arguments[0].naturalWidth", one) == 900 for one in pictures))
        assert len(pictures) == 2, "in the note and among the artifacts"
    assert console(browser) == []


def test_its_files_are_shown_and_downloaded(
    browser: webdriver.Chrome, served: Dashboard, study: SearchStudy, tmp_path: Path
) -> None:
    trial = study.trials(Outcome.TRAINED)[1]
    records = epochs_of(study.store.engine, trial._trial_id)
    open_trial(browser, served, trial.number)
    with_icon(browser, "FullscreenIcon").click()
    shows(browser, "eval_accuracy", str(records[-1]["eval_accuracy"]))
    browser.refresh()
    shows(browser, f"Trial {trial.number} (trial_id=")
    behavior = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    for link in browser.find_elements(By.XPATH, "//a[@download]"):
        until(lambda link=link: _clicked(link))  # type: ignore[misc]
    names = {"curves.png", "epochs.csv", f"trial-{trial.number}.yaml"}
    until(lambda: {path.name for path in tmp_path.iterdir()} >= names)
    read = list(csv.DictReader(io.StringIO((tmp_path / "epochs.csv").read_text())))
    assert [float(row["eval_accuracy"]) for row in read] == [record["eval_accuracy"] for record in records]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert console(browser) == []


def _clicked(link: WebElement) -> bool:
    """Whether it could be: what is over it goes away with a moment's delay."""
    from selenium.common.exceptions import ElementClickInterceptedException

    try:
        link.click()
    except ElementClickInterceptedException:
        return False
    return True


def test_the_run_card_leads_to_its_trials_and_keeps_what_a_visitor_writes(
    browser: webdriver.Chrome, served: Dashboard, study: SearchStudy
) -> None:
    best = study.best()
    assert best is not None
    browser.get(path_of(served, "/studies/1/note"))
    answer = "The smallest network that this search has proven"
    shows(browser, answer, "95% interval of the mean", "mnist-search run --dataset digits")
    _write_note(browser, "\nmind the *gap*\n")
    shows(browser, "Success to save the note")
    browser.refresh()
    shows(browser, "mind the gap", "Your own notes go above this line", "mnist-search run --dataset digits")
    assert text_of(browser).count(answer) == 1
    browser.find_element(By.LINK_TEXT, f"trial {best.number}").click()
    shows(browser, f"Trial {best.number} (trial_id=", "Trained again with 5 fresh seeds")
    assert console(browser) == []


def _write_note(browser: webdriver.Chrome, text: str) -> None:
    """Writes at the end of the note that is shown, below our part of it, as one does."""
    with_icon(browser, "EditIcon").click()
    area = until(lambda: browser.find_element(By.XPATH, "//textarea[not(@aria-hidden)]"))
    until(lambda: area.get_property("value") != "")
    area.send_keys(text)
    with_icon(browser, "SaveIcon").click()


def test_a_reader_alone_is_told_so_by_the_page(browser: webdriver.Chrome, study: SearchStudy) -> None:
    with serving(study.store.folder, access=Access(read_only=True)) as served:
        before = study.store.optuna.get_study_system_attrs(1)
        browser.get(path_of(served, "/studies/1/note"))
        shows(browser, "mnist-search run --dataset digits")
        assert console(browser) == []
        _write_note(browser, "not to be")
        shows(browser, "this dashboard is read-only")
        browser.get(path_of(served, ""))
        shows(browser, "digits")
        console(browser)
        with_icon(browser, "DeleteIcon").click()
        until(lambda: browser.find_elements(By.XPATH, "//*[@role='dialog']//button"))[-1].click()
        shows(browser, "Failed to delete study (id=1)")
        assert study.store.optuna.get_study_system_attrs(1) == before
        assert [one.study_name for one in study.store.optuna.get_all_studies()] == ["digits"]
        console(browser)


def test_a_running_search_moves_the_page(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Without a reload: a trial in training, its epochs, its end, and the next trials."""
    process = start(["run", "--dashboard", "--trials", "200", "--workers", "1", *SLOWER, *LONG], tmp_path)
    try:
        page = url_said(process)
        browser.get(f"{page}/trials")
        shows(browser, "Trial 0")
        n_before = text_of(browser).count("\nTrial ")
        running = until(lambda: _open_one_in_training(browser, tmp_path))
        epoch = until(lambda: _number_in(browser, r"after epoch (\d+) of"))
        # The page asks every two seconds: on a quick machine the training may be over by the next time.
        until(lambda: _number_in(browser, r"after epoch (\d+) of") > epoch or "In training: " not in text_of(browser))
        until(lambda: f"mnist-search export {running}" in text_of(browser), 90)
        until(lambda: text_of(browser).count("\nTrial ") > n_before)
        assert console(browser) == []
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def _open_one_in_training(browser: webdriver.Chrome, folder: Path) -> str | None:
    """The number of a trial in training once its page says so; the list learns of a new trial every two seconds."""
    [[running]] = sql(folder, "SELECT MAX(number) FROM trials WHERE state = 'RUNNING'")
    try:
        browser.find_element(By.XPATH, f"//*[text()='Trial {running}']").click()
    except (NoSuchElementException, StaleElementReferenceException):
        return None
    shows(browser, f"Trial {running} (trial_id=")
    return str(running) if "In training: " in text_of(browser) else None


def _number_in(browser: webdriver.Chrome, pattern: str) -> int:
    """A number in the text of the page; 0 while there is none."""
    found = re.search(pattern, text_of(browser))
    return int(found[1]) if found else 0
