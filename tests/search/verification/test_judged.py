"""Whose verification it is: of a study and not of its name, of a candidate and not of a trial's number."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from search.facts.comparison import compare
from search.facts.study_facts import study_facts
from search.report.winner import find_winner
from search.study.naming import Named, find_candidate
from search.study.study import SearchStudy, candidate_of
from search.verification.judged import judged_verifications
from storage.runs import add_run
from storage.verifications import (
    Verification,
    add_verification_run,
    begin_verification,
    end_verification,
    verification_runs_of,
    verifications_of,
)
from tests.helpers.made_studies import add_verification, made_study

GOOD = [0.995, 0.9949, 0.9951, 0.995, 0.995]


def told(study: SearchStudy) -> tuple[int, bool]:
    """How many verifications `status` has, and whether the report's winner has one."""
    winner = find_winner(study)
    assert winner is not None
    return len(study_facts(study)["verifications"]), winner.verified is not None


def test_a_study_that_is_begun_again_under_its_name_inherits_no_verification(own_folder: Path) -> None:
    study = made_study(own_folder, 1)
    add_verification(study, 0, GOOD)
    [row] = compare([find_candidate("0", lambda: study)], study.store)
    assert (told(study), row["runs"], row["on"]) == ((1, True), 5, "digits test")
    runs = verification_runs_of(study.store.engine, candidate_of(study.trial(0)).id)
    optuna.delete_study(study_name="digits", storage=study.store.optuna)

    again = made_study(own_folder, 3, max_params=9_999)
    assert again.study_id == study.study_id, "SQLite gives the number again"
    assert told(again) == (0, False)
    facts = study_facts(again)
    assert (facts["seconds_to_verified"], facts["core_seconds_to_verified"]) == (None, None)
    [row] = compare([find_candidate("0", lambda: again)], again.store)
    assert (row["runs"], row["on"]) == (1, "digits holdout")
    # The trainings are the candidate's and stay, but are no verification of this study.
    assert verification_runs_of(again.store.engine, candidate_of(again.trial(0)).id) == runs


def test_a_verification_of_another_candidate_than_the_trials_does_not_count(own_folder: Path) -> None:
    """As where a trial of this number has another candidate, whoever put the row there."""
    study = made_study(own_folder, 12)
    add_verification(study, 0, GOOD)
    other = candidate_of(study.trial(3)).id
    [record] = verifications_of(study.store.engine, study.study_id)
    number = begin_verification(study.store.engine, Verification(**{**vars(record), "candidate_id": other}))
    end_verification(study.store.engine, number, 1.0, 1.0, record.summary)
    beyond = begin_verification(study.store.engine, Verification(**{**vars(record), "trial": 99}))
    end_verification(study.store.engine, beyond, 1.0, 1.0, record.summary)
    assert len(verifications_of(study.store.engine, study.study_id)) == 3
    assert [one.record.candidate_id for one in judged_verifications(study)] == [record.candidate_id]


def test_a_candidate_trained_longer_than_in_the_search_is_still_the_trials(own_folder: Path) -> None:
    study = made_study(own_folder, 1)
    add_verification(study, 0, GOOD)
    [record] = verifications_of(study.store.engine, study.study_id)
    assert record.summary is not None
    longer = candidate_of(study.trial(0)).with_epochs(30).id
    for run in verification_runs_of(study.store.engine, record.candidate_id):
        add_verification_run(study.store.engine, {**run, "candidate": longer})
    number = begin_verification(study.store.engine, Verification(**{**vars(record), "candidate_id": longer}))
    end_verification(study.store.engine, number, 1.0, 1.0, {**record.summary, "epochs": 30})
    assert [one.record.candidate_id for one in judged_verifications(study)] == [record.candidate_id, longer]


def test_seeds_trained_unlike_are_not_judged_together(own_folder: Path) -> None:
    """Five seeds in float32, and five worse ones of another format and of another release of torch."""
    study = made_study(own_folder, 1)
    add_verification(study, 0, GOOD)
    [record] = verifications_of(study.store.engine, study.study_id)
    for run in verification_runs_of(study.store.engine, record.candidate_id):
        curves = [{**epoch, "eval_accuracy": 0.5} for epoch in run["curves"]]
        worse = {**run, "candidate": record.candidate_id, "curves": curves, "sustained_accuracy": 0.5}
        add_verification_run(study.store.engine, {**worse, "precision": "bfloat16"})
        add_verification_run(study.store.engine, {**worse, "torch": "2.16.0"})
    [judged] = judged_verifications(study)
    assert judged.summary["n_seeds"] == 5
    assert judged.summary["sustained_accuracy"] == pytest.approx(0.995)
    [row] = compare([find_candidate("0", lambda: study)], study.store)
    assert (row["runs"], row["sustained_accuracy"]) == (5, pytest.approx(0.995))


@pytest.mark.parametrize("change", [{"dtype": "bfloat16"}, {"torch": "2.16.0"}])
def test_compare_averages_only_trainings_that_were_trained_alike(own_folder: Path, change: dict[str, str]) -> None:
    study = made_study(own_folder, 1)
    candidate = candidate_of(study.trial(0))
    facts: dict[str, Any] = {
        "candidate": candidate.id, "dataset": "digits", "split": "test", "target": 0.99, "sustain": 3, "epochs": 4,
        "best_accuracy": 0.99, "held": False, "gap": 0.0, "seconds": 1.0, "dtype": "float32", "torch": "2.15.0+cpu",
    }  # fmt: skip
    for seed, accuracy, changed in ((0, 0.9, change), (1, 0.98, {}), (2, 0.99, {"torch": "2.15.0"})):
        run = {**facts, "seed": seed, "sustained_accuracy": accuracy, "precision": f"float32 ({seed} ms)", **changed}
        add_run(study.store.engine, "mine", run)
    [row] = compare([Named("mine", candidate)], study.store)
    assert row["accuracies"] == [0.98, 0.99]
