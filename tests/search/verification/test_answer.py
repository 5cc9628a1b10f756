"""The answer of a study: which trial it is, what it rests on, and that every command names the same one."""

import json
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial

from search.dashboard.view import StudyView
from search.report.page import build_page
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from search.verification.answer import Standing, find_answer
from search.verification.nominees import top_nominees
from tests.helpers.cli import call
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.pages import shown_text

GOOD, BAD = [0.999, 0.998, 0.999, 0.998, 0.999], [0.97, 0.971, 0.97, 0.971, 0.97]


def by_size(study: SearchStudy) -> list[FrozenTrial]:
    """The trained trials, the fewest parameters first."""
    return sorted(study.trials(Outcome.TRAINED), key=lambda trial: trial.user_attrs["params"])


def numbers(study: SearchStudy, accuracy: float) -> list[int]:
    """The trained trials with at least this sustained accuracy, the fewest parameters first."""
    return [trial.number for trial in by_size(study) if (trial.value or 0.0) >= accuracy]


def answer_of(study: SearchStudy) -> tuple[int, Standing, str]:
    answer = find_answer(study)
    assert answer is not None
    return answer.trial.number, answer.standing, answer.text


def test_without_a_trained_trial_there_is_none(own_folder: Path) -> None:
    assert find_answer(made_study(own_folder, 0)) is None


def test_one_training_must_clear_the_target_by_the_margin_if_another_does(own_folder: Path) -> None:
    study = made_study(own_folder, 60, target=0.975, margin=0.002)
    with_margin, at_target = numbers(study, 0.977), numbers(study, 0.975)
    assert with_margin[0] != at_target[0], "the margin decides"
    expected = (with_margin[0], Standing.AT_TARGET_WITH_MARGIN, "not verified: one training")
    assert answer_of(study) == expected


def test_without_such_a_margin_the_smallest_at_the_target(own_folder: Path) -> None:
    study = made_study(own_folder, 60, target=0.975, margin=0.02)
    assert not numbers(study, 0.995)
    expected = (numbers(study, 0.975)[0], Standing.AT_TARGET, "not verified: one training")
    assert answer_of(study) == expected


def test_below_the_target_the_most_accurate(own_folder: Path) -> None:
    study = made_study(own_folder, 12, target=0.9999, split="test")
    best = study.best()
    assert best is not None
    text = "below the target; not verified: one training; not clean: the test images chose it"
    assert answer_of(study) == (best.number, Standing.BELOW_TARGET, text)


def test_what_fresh_seeds_refute_is_not_the_answer_and_what_they_verify_is(own_folder: Path) -> None:
    study = made_study(own_folder, 60, target=0.975)
    first, second, third = numbers(study, 0.9756)[:3]
    add_verification(study, first, BAD)
    assert answer_of(study) == (second, Standing.AT_TARGET_WITH_MARGIN, "not verified: one training")
    assert first not in [nominee.trial for nominee in top_nominees(study, 3, "answer", None)]
    largest = by_size(study)[-1].number
    add_verification(study, largest, GOOD)
    assert answer_of(study) == (largest, Standing.VERIFIED, "verified: 99.86% over 5 fresh seeds")
    add_verification(study, third, GOOD)
    assert answer_of(study)[:2] == (third, Standing.VERIFIED)


def test_too_few_seeds_change_no_answer_and_are_shown(own_folder: Path) -> None:
    study = made_study(own_folder, 60, target=0.975)
    first = numbers(study, 0.9756)[0]
    add_verification(study, first, [0.97])
    text = "too few seeds: 97.00% over 1 fresh seed"
    assert answer_of(study) == (first, Standing.AT_TARGET_WITH_MARGIN, text)


def test_the_report_says_what_fresh_seeds_refuted(own_folder: Path) -> None:
    study = made_study(own_folder, 60, target=0.975)
    first = numbers(study, 0.9756)[0]
    add_verification(study, first, BAD)
    params = study.trial(first).user_attrs["params"]
    said = f"Below the target with fresh seeds: trial {first} with {params:,} parameters had 97.04% over 5 fresh seeds."
    assert said in shown_text(build_page(study, None))


@pytest.mark.parametrize("find", ["accuracy", "smallest"])
def test_every_command_names_the_same_trial(find: str, own_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The best, the smallest at the target and the answer of this study are three trials."""
    study = made_study(own_folder, 60, target=0.975, margin=0.002, find=find)
    best, smallest, answer = study.best(), study.smallest(), find_answer(study)
    assert best is not None
    assert smallest is not None
    assert answer is not None
    trial = answer.trial
    assert len({best.number, smallest.number, trial.number}) == 3

    line = f"answer: trial {trial.number}, {trial.user_attrs['params']:,} parameters; not verified: one training\n"
    code, out, err = call(["show", "--json"], capsys)
    assert (code, json.loads(out)["trial"], err) == (0, trial.number, line)
    code, out, err = call(["compare", "--json"], capsys)
    shown = {row["name"] for row in json.loads(out)}
    assert (code, shown, err) == (0, {f"trial {one.number}" for one in (best, smallest, trial)}, line)
    for words in (["train", "--dataset", "digits", "--epochs", "1"], ["verify", "--seeds", "1", "--epochs", "1"]):
        code, out, err = call([*words, "--workers", "1", "--json"][: None if words[0] == "verify" else -3], capsys)
        assert code == 0, err
        assert line in err
    assert call(["export", "--out", "model"], capsys)[2].startswith(line)

    code, out, _ = call(["status", "--json"], capsys)
    facts = json.loads(out)["answer"]
    assert (code, facts["trial"], facts["standing"]) == (0, trial.number, "at_target_with_margin")
    code, out, _ = call(["status"], capsys)
    assert f"(trial {trial.number}" in next(row for row in out.splitlines() if row.startswith("answer "))
    page = shown_text(build_page(study, None))
    assert f"The winner: trial {trial.number}" in page
    assert StudyView(study.store).get_best_trial(study.study_id).number == trial.number
