"""The report as a file: what it answers, what it leaves out, that it asks nobody for anything."""

import html
import re
import time
from pathlib import Path
from typing import Any

import pytest

from models.presets import PRESETS
from search.report import winner as winner_module
from search.report.answer import answer, next_step, results_text, verdict_text
from search.report.figures.sample import N_BEST, N_RANDOM, thinned
from search.report.figures.search import pareto_front, rising
from search.report.figures.trials import parallel
from search.report.mistakes import find_answers, find_mistakes
from search.report.other_studies import find_arms
from search.report.page import build_page, write_report
from search.report.reproduce import next_command, search_command, verify_command
from search.report.winner import find_winner
from search.study.outcomes import Outcome
from search.study.study import SearchStudy, candidate_of, create_study
from search.study.warm_start import queue
from tests.helpers.cli import QUICK, call
from tests.helpers.made_studies import add_verification, made_epochs, made_study

SCRIPT = re.compile(r"<script[^>]*>.*?</script>", re.DOTALL)


def shown_text(page: str) -> str:
    """What a reader sees, spaces made one; scripts and styles left out."""
    bare = re.sub(r"<style>.*?</style>", "", SCRIPT.sub("", page), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


def figures(page: str) -> list[str]:
    return re.findall(r'id="figure-(\w+)"', page)


def answer_of(study: SearchStudy) -> str:
    return answer(study, find_winner(study))


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
    assert "Left out: trial 0 has no weights, it was trained: train it with `mnist-search train 0 --out DIR`." in text


def test_the_answer_when_nothing_reached_the_target(own_folder: Path) -> None:
    study = made_study(own_folder, 1)
    params = study.trial(0).user_attrs["params"]
    assert answer_of(study) == (
        f"Nothing reached 99.00% on the digits of scikit-learn among 1 candidate; the best, with {params:,} "
        "parameters, came to 98.50% on the held-out images, in one training."
    )
    assert next_step(study, find_winner(study)) == (
        "The winner is not verified yet: this is one training, on the images that chose it among 1 candidate, which "
        "flatters. Fresh seeds and the test images would tell."
    )


def test_the_answer_when_the_search_reached_it(own_folder: Path) -> None:
    study = made_study(own_folder, 1, target=0.98, dataset="digits")
    params = study.trial(0).user_attrs["params"]
    assert answer_of(study) == (
        f"The smallest network that reached 98.00% on the digits of scikit-learn in this search has {params:,} "
        "parameters: 98.50% on the held-out images, in one training; it is not verified yet."
    )


def test_the_answer_says_that_the_test_images_chose(own_folder: Path) -> None:
    study = made_study(own_folder, 1, target=0.98, split="test")
    assert "98.50% on the test images, which also chose it, in one training" in answer_of(study)
    assert "so its accuracies are not clean" in shown_text(build_page(study, None))


def test_the_answer_when_it_is_verified(own_folder: Path) -> None:
    study = made_study(own_folder, 1, sustain=1)
    params = study.trial(0).user_attrs["params"]
    add_verification(study, 0, [0.995, 0.993, 0.993, 0.993, 0.9895])
    winner = find_winner(study)
    assert winner is not None
    assert answer(study, winner) == (
        "The smallest network that this search has proven to reach 99.00% on the digits of scikit-learn has "
        f"{params:,} parameters: trained again with 5 fresh seeds, it came to 99.27% ± 0.20 on the test images, and "
        "4 of the 5 runs held the target in each of the last 1 epoch."
    )
    assert (next_step(study, winner), next_command(study, winner)) == (None, None)
    assert verdict_text(winner) == ("Verified at 99.00%: the mean is at or above it, and so is its whole 95% interval.")
    assert results_text(study.settings, winner) == (
        f"{params:,} parameters; over 5 seeds 99.27% ± 0.20 sustained on the test images (95% interval of the mean: "
        "99.02% to 99.51%), lowest seed 98.95%, best single epoch 99.50%; training accuracy 99.07%, gap -0.20 points."
    )


@pytest.mark.parametrize(
    ("accuracies", "told", "why", "settle"),
    [
        (
            [0.995, 0.993, 0.991, 0.993, 0.989],
            "99.22% ± 0.23 on the test images over 5 fresh seeds; that is on target, but the 95% interval of the mean, "
            "98.93% to 99.50%, reaches below it",
            "On target, not proven at 99.00%: the mean is at or above it, but its 95% interval reaches below",
            "about 2 more seeds would settle it",
        ),
        (
            [0.991, 0.989, 0.987, 0.992, 0.985],
            "98.88% ± 0.29 on the test images over 5 fresh seeds; that is below the target, though the 95% interval of "
            "the mean, 98.52% to 99.23%, reaches it",
            "Below target at 99.00%: the mean is below it, but its 95% interval reaches it",
            "about 20 more seeds would settle it",
        ),
        (
            [0.97] * 5,
            "97.00% ± 0.00 on the test images over 5 fresh seeds; the 95% interval of the mean, 97.00% to 97.00%, is "
            "below the target",
            "Refuted at 99.00%: the mean is below it, and so is its whole 95% interval",
            None,
        ),
        (
            [0.999],
            "99.90% on the test images over 1 fresh seed; so few prove nothing",
            "Too few seeds at 99.00%: the mean of so few seeds proves nothing",
            "4 more seeds are needed",
        ),
    ],
)
def test_the_answer_when_nothing_is_proven(
    own_folder: Path, accuracies: list[float], told: str, why: str, settle: str | None
) -> None:
    study = made_study(own_folder, 1)
    params = study.trial(0).user_attrs["params"]
    add_verification(study, 0, accuracies)
    winner = find_winner(study)
    assert winner is not None
    assert answer(study, winner) == (
        "No network is proven to reach 99.00% on the digits of scikit-learn: the best that was trained again, with "
        f"{params:,} parameters, came to {told}."
    )
    assert verdict_text(winner) == f"{why}{f'; {settle}' if settle else ''}."
    text = shown_text(build_page(study, None))
    assert verdict_text(winner) in text
    command = next_command(study, winner)
    if settle is None:
        assert (next_step(study, winner), command) == (None, None)
    else:
        assert next_step(study, winner) == f"{settle[0].upper()}{settle[1:]}."
        assert command is not None
        n_seeds = len(accuracies) + int(re.findall(r"\d+", settle)[0])
        assert f"verify 0 --seeds {n_seeds} --epochs 4 --target 0.99 --sustain 3 " in command
        assert "--study digits --precision float32" in command.replace(" \\\n ", "")


def test_the_smallest_of_those_verified_at_the_target_wins(own_folder: Path) -> None:
    study = made_study(own_folder, 12)
    trained = sorted(study.trials(Outcome.TRAINED), key=lambda trial: trial.user_attrs["params"])
    small, large = trained[0], trained[-1]
    add_verification(study, large.number, [0.999] * 5)
    add_verification(study, small.number, [0.98] * 5)
    winner = find_winner(study)
    assert winner is not None
    assert winner.trial.number == large.number
    add_verification(study, trained[1].number, [0.991] * 5)
    winner = find_winner(study)
    assert winner is not None
    assert winner.trial.number == trained[1].number


def test_the_mistakes_of_a_verification(own_folder: Path) -> None:
    study = made_study(own_folder, 1)
    add_verification(study, 0, [0.993, 0.991, 0.992, 0.994, 0.995])
    winner = find_winner(study)
    assert winner is not None
    answers = find_answers(study, winner, None)
    assert answers.whose == "seed 1 of the verification, the median of 5, on the test images"
    mistakes, n_all = find_mistakes(answers)
    assert [(one.number, one.n_wrong) for one in mistakes[:3]] == [(3, 5), (14, 5), (21, 1)]
    assert n_all == len(mistakes) == 7
    assert mistakes[0].taken_for == f"{(mistakes[0].label + 1) % 10}\u00a0×5"
    page = build_page(study, None)
    assert SCRIPT.sub("", page).count('src="data:image/png;base64,') == len(mistakes)
    assert figures(page)[-1] == "confusion"


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


def test_the_command_makes_the_same_study(own_folder: Path) -> None:
    study = made_study(own_folder, 3, name="my study")
    command = search_command(study)
    assert command.startswith("mnist-search run --study 'my study' --dataset digits --split holdout")
    assert "--set head=gap-1x1,conv-gap,gap-hidden,conv" in command.replace(" \\\n ", "")
    assert all(len(line) <= 110 for line in command.splitlines())
    assert "--warm-start" not in command
    queue(study, {"a-step5": PRESETS["a-step5"].candidate, "my own.yaml": PRESETS["d-model1"].candidate})
    assert "--warm-start a-step5 --warm-start 'my own.yaml'" in search_command(study).replace(" \\\n ", "")


def test_a_winner_that_was_given_to_the_search_is_told_as_such(own_folder: Path) -> None:
    study = made_study(own_folder, 12, target=0.98)
    attrs = study.trial(0).user_attrs
    queue(study, {"mine.yaml": candidate_of(study.trial(0))})
    trial = study.optuna.ask()
    for name, value in attrs.items():
        trial.set_user_attr(name, value)
    study.optuna.tell(trial, 0.999)
    add_verification(study, trial.number, [0.999] * 5)
    text = shown_text(build_page(study, None))
    assert "It was given 1 candidate to begin with: mine.yaml." in text
    assert f"The winner: trial {trial.number}" in text
    assert "The search did not think of this network: it was given it to begin with, as mine.yaml." in text
    assert "Networks that the search was given have no such values." in text
    assert "others, chosen at random" not in text


def test_the_axis_of_accuracies_tells_them_apart(own_folder: Path) -> None:
    trained = made_study(own_folder, 12).trials(Outcome.TRAINED)
    drawing = parallel(trained, ["lr", "dropout"])
    assert drawing is not None
    ticks = re.findall(r'"text":"([\d.]+)","x":0,', drawing.html)
    assert len(set(ticks)) == len(ticks) > 2
    assert ticks[-1] == f"{100 * max(trial.value or 0 for trial in trained):.2f}"


def test_five_thousand_trials(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made_study(own_folder, 5_000)
    monkeypatch.setattr(winner_module, "epochs_of", lambda _engine, number: made_epochs(study, number))
    began = time.process_time()  # others may keep the machine busy
    size_bytes = write_report(study, None, own_folder / "report.html")
    assert time.process_time() - began < 40  # 10 s were measured
    assert size_bytes < 7_000_000
    text = shown_text((own_folder / "report.html").read_text())
    assert "trained trials the best 100 are drawn and 200 others, chosen at random" in text


def test_a_sample_holds_the_best(own_folder: Path) -> None:
    trials = made_study(own_folder, 1_000).trials(Outcome.TRAINED)
    drawn = thinned(trials)
    assert len(drawn) == N_BEST + N_RANDOM
    best = sorted(trials, key=lambda trial: -(trial.value or 0))[:N_BEST]
    assert {trial.number for trial in best} <= {trial.number for trial in drawn}
    assert thinned(trials) == drawn


def test_the_front_and_the_best_so_far() -> None:
    points = [(5, 0.9, "a"), (3, 0.8, "b"), (4, 0.7, "c"), (5, 0.95, "d"), (9, 0.95, "e")]
    assert [label for _, _, label in pareto_front(points)] == ["b", "d"]
    assert rising([2, 4, 7], [0.5, 0.4, 0.6]) == [(2, 0.5), (7, 0.6), (7, 0.6)]
    assert rising([], []) == []


def test_a_real_study_through_the_command_line(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "--trials", "3", "--workers", "1", *QUICK], capsys)[0] == 0
    code, out, err = call(["report", "--out", "out.html"], capsys)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"out\.html  4\.\d MiB\n", out)
    page = (own_folder / "out.html").read_text()
    assert {"history", "pareto", "importances", "confusion", "loss"} <= set(figures(page))
    text = shown_text(page)
    assert "300 test images misread by one network of the search (its kept weights), on the test images" in text
    assert sorted(path.name for path in own_folder.iterdir() if "html" in path.name) == ["out.html"]


def test_a_file_that_cannot_be_written(own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_study(own_folder, 0)
    code, out, err = call(["report", "--out", "missing/report.html"], capsys)
    assert (code, out) == (2, "")
    assert err == (
        "mnist-search: missing/report.html cannot be written: No such file or directory; name another with --out\n"
    )
    (own_folder / "folder").mkdir()
    code, _, err = call(["report", "--out", "folder"], capsys)
    assert code == 2
    assert err == "mnist-search: folder cannot be written: Is a directory; name another with --out\n"
    assert list(own_folder.glob(".*")) == []


def test_data_that_is_not_there_is_not_fetched(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = made_study(own_folder, 1, dataset="mnist")

    def refuse(*_: Any) -> None:
        raise AssertionError("fetched")

    monkeypatch.setattr("trainer.data.find.fetch", refuse)
    text = shown_text(build_page(study, own_folder))
    assert f"Left out: the images of mnist are not in {own_folder}: name their folder with --data-dir." in text


def test_a_study_of_which_nothing_was_ever_begun(own_folder: Path) -> None:
    made = made_study(own_folder, 0)
    other = create_study(made.store, "other", made.settings)
    assert answer_of(other) == "Nothing trained yet: the study has no trial that ended."


def test_the_command_of_a_verification_names_its_epochs(own_folder: Path) -> None:
    """Also where they are the study's: without them a trial would be verified for 15."""
    study = made_study(own_folder, 1, name="mine")
    winner = find_winner(study)
    assert winner is not None
    assert verify_command(study, winner) == "mnist-search verify 0 --study mine --seeds 10"
    add_verification(study, 0, [0.999] * 5)
    winner = find_winner(study)
    assert winner is not None
    assert verify_command(study, winner) == (
        "mnist-search verify 0 --seeds 5 --epochs 4 --target 0.99 --sustain 3 \\\n  --study mine --precision float32"
    )
