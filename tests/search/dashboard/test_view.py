"""A storage as optuna-dashboard sees it: studies of ours explained, those of others as they are."""

import json
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import pytest
from optuna.artifacts import upload_artifact
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.dashboard.app import make_app
from search.dashboard.view import StudyView
from search.study import attributes
from search.study.outcomes import Outcome
from storage.store import Store
from storage.trials import read_trials
from tests.helpers.apps import call_app, get_json
from tests.helpers.databases import new_study, url_of
from tests.helpers.growing_studies import begin, empty_study, end, train, trained
from tests.helpers.made_studies import add_verification, made_study

HIDDEN = {attributes.CANDIDATE, attributes.GIVEN, attributes.WEIGHTS}
MADE = "artifacts:d-"


def without_ours(trial: FrozenTrial) -> FrozenTrial:
    """A trial as Optuna stores it, and as the view is to show it but for its files."""
    attrs = {key: value for key, value in trial.user_attrs.items() if key not in HIDDEN}
    trial.user_attrs = {
        key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in attrs.items()
    }
    trial.system_attrs = {key: value for key, value in trial.system_attrs.items() if not key.startswith(MADE)}
    return trial


def files_of(trial: FrozenTrial) -> list[str]:
    return [json.loads(text)["filename"] for key, text in trial.system_attrs.items() if key.startswith(MADE)]


def test_trials_are_optunas_without_what_only_the_program_reads(store: Store) -> None:
    study = empty_study(store)
    trained(study, 0, 0.9, 0.95, 0.97, weights_artifact="a-number", gap=1 / 3)
    end(study, begin(study, -1), Outcome.REJECTED)
    train(study, begin(study, 1, given={"layers": []}, warm_start="a-name"), 0.5)
    begin(study, None, TrialState.WAITING)
    view = StudyView(store)
    stored = store.optuna.get_all_trials(study.study_id)
    shown = view.get_all_trials(study.study_id)
    assert [without_ours(trial) for trial in shown] == [without_ours(trial) for trial in stored]
    shown = view.get_all_trials(study.study_id)
    assert [set(trial.user_attrs) & HIDDEN for trial in shown] == [set()] * 4
    assert [files_of(trial) for trial in shown] == [
        ["curves.png", "epochs.csv", "trial-0.yaml"],
        ["trial-1.yaml"],
        ["curves.png", "epochs.csv", "trial-2.yaml"],
        [],
    ]
    for state in TrialState:
        some = view.get_all_trials(study.study_id, states=(state,))
        assert [trial.number for trial in some] == [trial.number for trial in stored if trial.state is state]
    assert [files_of(view.get_trial(trial._trial_id)) for trial in stored] == [files_of(trial) for trial in shown]


def test_who_changes_a_copy_changes_nothing(store: Store) -> None:
    trained(empty_study(store), 0, 0.9, 0.9, 0.9)
    view = StudyView(store)
    [copied] = view.get_all_trials(1)
    copied.user_attrs["params"] = -1
    copied.intermediate_values.clear()
    [trial] = view.get_all_trials(1, deepcopy=False)
    assert trial.user_attrs["params"] > 0
    assert len(trial.intermediate_values) == 3


def best_number(store: Store) -> int:
    [best] = get_json(make_app(store), "/api/studies/1")["best_trials"]
    assert best["number"] == StudyView(store).get_best_trial(1).number
    return int(best["number"])


def test_the_best_trial_is_the_studys_own_answer(store: Store) -> None:
    study = empty_study(store)
    end(study, begin(study, 0), Outcome.FAILED)
    with pytest.raises(ValueError, match="does not exist"):
        StudyView(store).get_best_trial(1)
    assert get_json(make_app(store), "/api/studies/1")["best_trials"] == []
    trained(study, 3, 0.9, 0.97, 0.97)
    trained(study, 1, 0.9, 0.98, 0.98)
    trained(study, 0, 0.9, 0.97, 0.97)
    assert best_number(store) == 2  # the most accurate while none is at the target
    trained(study, 4, 0.9, 0.999, 0.999)  # the first of the most accurate: Optuna's best
    trained(study, 1, 0.9, 0.992, 0.992)
    trained(study, 4, 0.9, 0.999, 0.999)
    assert best_number(store) == 5  # the smallest at the target
    add_verification(study, 4, [0.995, 0.996, 0.995, 0.996, 0.995])
    assert best_number(store) == 4  # the verified


def test_the_best_of_somebody_elses_trials_is_optunas(store: Store) -> None:
    """A study of ours, to which a script has added trials: the page is to be shown all the same."""
    study = empty_study(store)
    study.optuna.add_trials([create_trial(value=0.5), create_trial(value=0.7), create_trial(state=TrialState.FAIL)])
    assert best_number(store) == 1
    notes = [trial["note"]["body"] for trial in get_json(make_app(store), "/api/studies/1")["trials"]]
    assert "**Ended by another program, as COMPLETE.**" in notes[0]
    trained(study, 0, 0.1, 0.2, 0.3)
    assert best_number(store) == 3


def foreign(store: Store, name: str = "theirs", **attrs: Any) -> optuna.Study:
    """A study of another program."""
    study = new_study(store, name)
    for key, value in attrs.items():
        study.set_user_attr(key, value)
    study.enqueue_trial({"x": 0.25})
    for n in range(4):
        trial = study.ask()
        trial.report(trial.suggest_float("x", 0, 1), 1)
        trial.set_user_attr("candidate", {"layers": n})
        if n < 3:
            study.tell(trial, 0.123456789 * n)
    return study


@pytest.mark.parametrize("settings", [None, 5, "text", {}, [], {"lr": 1}, {"dataset": "digits", "sampler": []}])
def test_a_study_of_another_program_is_as_it_is(store: Store, settings: Any) -> None:
    """Whatever it keeps by the name of our settings."""
    study = foreign(store, **({} if settings is None else {"settings": settings}))
    optuna_dashboard.save_note(study, "theirs")
    view, app = StudyView(store), make_app(store)
    # Optuna's own wrapper, which keeps trials, is what `optuna-dashboard URL` uses but for its name.
    plain = optuna_dashboard.wsgi(store.optuna, artifact_store=store.artifacts())
    for path in ("/api/studies", "/api/studies/1"):
        for query in ("", "after=2"):
            assert call_app(app, "GET", path, query) == call_app(plain, "GET", path, query), path
    assert view.get_all_trials(1) == store.optuna.get_all_trials(1)
    for trial in store.optuna.get_all_trials(1):
        assert view.get_trial(trial._trial_id) == trial
    assert view.get_study_system_attrs(1) == store.optuna.get_study_system_attrs(1)
    assert view.get_best_trial(1) == store.optuna.get_best_trial(1)
    assert call_app(app, "POST", "/api/studies/1/rename", body={"study_name": "other"})[0] == 201
    assert [study.study_name for study in view.get_all_studies()] == ["other"]


def test_a_study_of_another_program_that_is_begun_anew_is_a_new_one(store: Store) -> None:
    foreign(store)
    view = StudyView(store)
    assert (len(view.get_all_trials(1)), view.get_study_directions(1)) == (4, [optuna.study.StudyDirection.MAXIMIZE])
    optuna.delete_study(study_name="theirs", storage=store.optuna)
    optuna.create_study(study_name="theirs", storage=store.optuna, direction="minimize").add_trial(
        create_trial(value=9)
    )
    assert [trial.value for trial in view.get_all_trials(1)] == [9]
    assert view.get_study_directions(1) == [optuna.study.StudyDirection.MINIMIZE]


def test_one_of_several_objectives_is_as_it_is(store: Store) -> None:
    study = optuna.create_study(study_name="two", storage=store.optuna, directions=["minimize", "maximize"])
    study.add_trials([create_trial(values=[1, 2]), create_trial(values=[2, 3]), create_trial(values=[3, 1])])
    said = get_json(make_app(store), "/api/studies/1")
    assert [trial["values"] for trial in said["best_trials"]] == [[1.0, 2.0], [2.0, 3.0]]


WORDS = {
    "dataset": "the digits of scikit-learn",
    "judged by": "held-out images",
    "budget": "fewer than 10,000 parameters",
    "target": "99.00%, mean of the last 2",
    "epochs": "3",
    "sampler": "tpe",
    "pruner": "median",
    "seed": "0",
}


def attributes_shown(store: Store) -> dict[str, str]:
    [listed] = get_json(make_app(store), "/api/studies")["study_summaries"]
    assert listed["user_attrs"] == get_json(make_app(store), "/api/studies/1")["user_attrs"]
    return {attr["key"]: attr["value"] for attr in listed["user_attrs"]}


def test_settings_are_told_one_by_one(store: Store) -> None:
    study = empty_study(store)
    study.optuna.set_user_attr("mine", "a word")
    ranges = {f"range of {name}": text for name, text in study.settings.space.items()}
    assert attributes_shown(store) == {**WORDS, **ranges, "mine": "a word"}


def test_settings_of_an_old_study_are_told_too(store: Store) -> None:
    """One of a program that knew fewer ranges and settings."""
    study = empty_study(store)
    kept = study.settings.to_dict()
    del kept["seed"]
    kept["space"] = {name: text for name, text in kept["space"].items() if name not in ("ema_decay", "brightness")}
    study.optuna.set_user_attr("settings", kept)
    shown = attributes_shown(store)
    assert {key: shown[key] for key in WORDS} == WORDS
    assert "range of ema_decay" not in shown
    assert get_json(make_app(store), "/api/studies/1")["plotly_graph_objects"] == []


@pytest.mark.parametrize("changed", [{"colours": 3}, {"sampler": "oracle"}])
def test_a_study_of_a_newer_program_is_as_it_is(store: Store, changed: dict[str, Any]) -> None:
    study = empty_study(store)
    trained(study, 0, 0.9, 0.9, 0.9)
    study.optuna.set_user_attr("settings", study.settings.to_dict() | changed)
    plain = optuna_dashboard.wsgi(store.optuna, artifact_store=store.artifacts())
    assert call_app(make_app(store), "GET", "/api/studies/1") == call_app(plain, "GET", "/api/studies/1")


def test_a_study_with_ranges_that_we_do_not_know_is_not_explained(store: Store) -> None:
    study = empty_study(store)
    trained(study, 0, 0.9, 0.9, 0.9)
    study.optuna.set_user_attr("settings", study.settings.to_dict() | {"space": {"new_range": "1:3"}})
    said = get_json(make_app(store), "/api/studies/1")
    assert (said["note"]["body"], said["trials"][0]["note"]["body"], said["plotly_graph_objects"]) == ("", "", [])


def test_studies_are_in_the_order_of_their_beginning_with_a_report_for_ours(store: Store) -> None:
    empty_study(store, "z")
    new_study(store, "a")
    empty_study(store, "b")
    view = StudyView(store)
    assert [study.study_name for study in view.get_all_studies()] == ["z", "a", "b"]
    artifacts = [get_json(make_app(store), f"/api/studies/{number}")["artifacts"] for number in (1, 2, 3)]
    assert [[one["filename"] for one in listed] for listed in artifacts] == [["report.html"], [], ["report.html"]]


def test_a_file_that_somebody_keeps_with_a_study_stays(store: Store, tmp_path: Path) -> None:
    study = empty_study(store)
    (tmp_path / "mine.txt").write_text("mine")
    upload_artifact(artifact_store=store.artifacts(), file_path=str(tmp_path / "mine.txt"), study_or_trial=study.optuna)
    listed = get_json(make_app(store), "/api/studies/1")["artifacts"]
    assert [one["filename"] for one in listed] == ["mine.txt", "report.html"]


def test_a_large_study_shows_the_curves_of_every_second_and_has_the_files_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20 trials, here, all have curves in the page's figure; of one more, half of them."""
    monkeypatch.setattr("search.dashboard.watched.MOST_CURVES", 20)
    study = made_study(tmp_path, 20)
    train(study, begin(study, 0), 0.5)  # in training: it is shown in any case
    large = study.store
    shown = StudyView(large).get_all_trials(1, deepcopy=False)
    stored = read_trials(large.engine, 1)
    for trial, kept in zip(shown, stored, strict=True):
        has_curve = trial.number % 2 == 0 or not trial.state.is_finished()
        assert trial.intermediate_values == (kept.intermediate_values if has_curve else {})
        assert (files_of(trial)[:2] == ["curves.png", "epochs.csv"]) == bool(kept.intermediate_values)
    app = make_app(large)
    odd = next(trial for trial in stored if trial.number % 2 and len(trial.intermediate_values) > 1)
    for trial in (odd, stored[-1]):
        listed = get_json(app, "/api/studies/1", f"after={trial.number}")["trials"][0]["artifacts"]
        [number] = [one["artifact_id"] for one in listed if one["filename"] == "epochs.csv"]
        code, body = call_app(app, "GET", f"/artifacts/1/{trial._trial_id}/{number}")
        assert code == 200
        assert len(body.decode().splitlines()) == 1 + len(trial.intermediate_values)


def test_a_larger_one_shows_every_fourth(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.dashboard.watched.MOST_CURVES", 4)
    study = empty_study(store)
    view = StudyView(store)
    for n_trials, every in ((4, 1), (8, 2), (9, 4), (16, 4), (17, 8)):
        while len(read_trials(store.engine, 1)) < n_trials:
            trained(study, 0, 0.9, 0.9, 0.9)
        with_curves = [trial.number for trial in view.get_all_trials(1) if trial.intermediate_values]
        assert with_curves == list(range(0, n_trials, every))


def test_the_database_may_be_named_by_two_programs(store: Store, tmp_path: Path) -> None:
    """What one writes the other sees at its next look."""
    view = StudyView(Store(url_of(tmp_path / "s.db")))
    study = empty_study(store)
    trained(study, 0, 0.9, 0.9, 0.9)
    assert [trial.number for trial in view.get_all_trials(1)] == [0]
    trained(study, 1, 0.9, 0.9, 0.9)
    assert [trial.number for trial in view.get_all_trials(1)] == [0, 1]
    view.store.close()
