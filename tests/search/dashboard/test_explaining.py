"""What the dashboard's server says of a study: what optuna-dashboard says, with our notes and figures."""

import json
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import pytest
from optuna.artifacts import upload_artifact
from optuna.trial import TrialState
from sqlalchemy import func, select

from search.dashboard.app import make_app
from search.dashboard.artifact_store import DashboardArtifacts
from search.dashboard.own_words import MARK
from search.dashboard.view import StudyView
from search.dashboard.wsgi import App
from search.study import attributes
from search.study.outcomes import Outcome
from search.study.study import SearchStudy
from storage.store import Store
from storage.tables import EpochRow, VerificationRow
from storage.trials import read_trials
from tests.helpers.apps import call_app, get_json
from tests.helpers.databases import new_study
from tests.helpers.growing_studies import begin, empty_study, end, train, trained
from tests.helpers.made_studies import add_verification

FIGURES = ["pareto", "over-time", "outcomes"]


@pytest.fixture
def study(store: Store) -> SearchStudy:
    """Number 1: a trained, a rejected and a running trial, and one that waits."""
    study = empty_study(store)
    trained(study, 0, 0.9, 0.95, 0.97)
    end(study, begin(study, -1), Outcome.REJECTED, reason="over the budget")
    train(study, begin(study, 1), 0.5)
    begin(study, None, TrialState.WAITING)
    return study


@pytest.fixture
def app(study: SearchStudy) -> App:
    return make_app(study.store)


@pytest.fixture
def plain(study: SearchStudy) -> App:
    """optuna-dashboard by itself, on the same view."""
    view = StudyView(study.store)
    made: App = optuna_dashboard.wsgi(view, artifact_store=DashboardArtifacts(view))
    return made


@pytest.fixture
def _up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """optuna-dashboard keeps trials for some seconds: here it looks each time."""
    monkeypatch.setattr(
        "optuna_dashboard._app.get_trials", lambda _, storage, study_id: storage.get_all_trials(study_id, False)
    )


def own_part(note: str) -> str:
    """What a visitor wrote, of a note as it is shown."""
    assert note.count(MARK) <= 1
    return note.partition(MARK)[0].strip()


def unexplained(detail: dict[str, Any]) -> dict[str, Any]:
    """An answer without what is ours."""
    for one in (detail, *detail["trials"], *detail["best_trials"]):
        one["note"]["body"] = own_part(one["note"]["body"])
    figures = [figure for figure in detail["plotly_graph_objects"] if figure["id"] not in FIGURES]
    return {**detail, "plotly_graph_objects": figures}


def assert_alike(app: App, plain: App, query: str = "") -> dict[str, Any]:
    """That the two say the same; what ours says."""
    said = get_json(app, "/api/studies/1", query)
    ours, theirs = unexplained(json.loads(json.dumps(said))), unexplained(get_json(plain, "/api/studies/1", query))
    assert ours == theirs
    assert list(ours) == list(theirs)
    assert [list(trial) for trial in ours["trials"]] == [list(trial) for trial in theirs["trials"]]
    return dict(said)


@pytest.mark.usefixtures("_up_to_date")
def test_it_says_what_optuna_dashboard_says_of_a_study_that_grows(study: SearchStudy, app: App, plain: App) -> None:
    def look() -> None:
        n_trials = len(read_trials(study.store.engine, study.study_id))
        for after in (None, 1, n_trials, n_trials + 5):
            said = assert_alike(app, plain, "" if after is None else f"after={after}")
            assert [trial["number"] for trial in said["trials"]] == list(range(after or 0, n_trials))
            for trial in (*said["trials"], *said["best_trials"]):
                assert trial["note"]["body"].startswith(f"{MARK}\n\n**")
            assert [figure["id"] for figure in said["plotly_graph_objects"]] == FIGURES

    look()
    running = read_trials(study.store.engine, study.study_id, TrialState.RUNNING)[0]._trial_id
    train(study, running, 0.96, 0.995, first=2)
    look()
    later = begin(study, 2)
    trained(study, 1, 0.9, 0.99, 0.99)  # ends before the one that began before it
    look()
    end(study, running, Outcome.PRUNED, reason="lagging")
    look()
    end(study, later, Outcome.FAILED, reason="a fault")
    study.store.optuna.set_trial_state_values(4, TrialState.FAIL)
    look()
    assert all(trial.state.is_finished() for trial in read_trials(study.store.engine, study.study_id))
    look()  # nothing is to be asked for now
    trained(study, 0, 0.999, 0.999, 0.999)
    look()


@pytest.mark.usefixtures("_up_to_date")
def test_the_notes_are_those_of_the_moment(study: SearchStudy, app: App) -> None:
    def notes() -> list[str]:
        return [trial["note"]["body"] for trial in get_json(app, "/api/studies/1")["trials"]]

    assert "**In training: 50.00% after epoch 1 of 3.**" in notes()[2]
    train(study, 3, 0.96, first=2)
    assert "**In training: 96.00% after epoch 2 of 3.**" in notes()[2]
    end(study, 3, Outcome.PRUNED, reason="96.00% against a median of 97.00% in epoch 2")
    ended = notes()
    assert "**Stopped after epoch 2: 96.00% against a median of 97.00%.**" in ended[2]
    add_verification(study, 0, [0.995, 0.996, 0.995])
    assert "3 fresh seeds" in notes()[0]
    assert notes()[1:] == ended[1:]
    [best] = get_json(app, "/api/studies/1")["best_trials"]
    assert best["note"]["body"] == notes()[0]


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", "after=", "after=1.5", "after=%20", "after=0&after=1", "after=1&other=2", "before=1"],
)
def test_a_request_that_says_anything_else_is_answered_as_ever(app: App, plain: App, query: str) -> None:
    ours, theirs = (call_app(one, "GET", "/api/studies/1", query) for one in (app, plain))
    assert ours[0] == theirs[0]
    if ours[0] == 200:
        assert_alike(app, plain, query)
    else:
        assert ours == theirs


@pytest.mark.parametrize(
    "path", ["/api/studies/77", "/api/studies/x", f"/api/studies/{10**17}", "/api/studies/1/nothing"]
)
def test_what_is_not_there_is_told_as_ever(app: App, plain: App, path: str) -> None:
    ours, theirs = (call_app(one, "GET", path) for one in (app, plain))
    assert ours == theirs
    assert ours[0] == 404


def test_nothing_else_is_touched(app: App, plain: App) -> None:
    for path in ("/api/meta", "/api/studies", "/api/studies/1/param_importances", "/dashboard/studies/1"):
        assert call_app(app, "GET", path) == call_app(plain, "GET", path), path


@pytest.mark.parametrize("path", ["/api/studies/1/note", "/api/studies/1/1/note"])
def test_what_a_visitor_wrote_stays_and_ours_goes_on(study: SearchStudy, app: App, path: str) -> None:
    def note() -> dict[str, Any]:
        said = get_json(app, "/api/studies/1")
        return dict(said["note"] if path.count("/") == 4 else said["trials"][0]["note"])

    def write(body: str, version: int) -> int:
        return call_app(app, "PUT", path, body={"body": body, "version": version})[0]

    first = note()
    assert first["version"] == 0
    assert first["body"].startswith(MARK)
    # Their editor begins with what is shown.
    assert write(f"Look at *this*.\n\n- a\n- b\n\n{first['body']}", 1) == 200
    second = note()
    assert second["version"] == 1
    assert second["body"].startswith(f"Look at *this*.\n\n- a\n- b\n\n{MARK}\n\n**")
    assert write("too late", 1) == 409
    assert write("too soon", 3) == 409
    assert note() == second
    add_verification(study, 0, [0.991, 0.992, 0.991])
    assert write(second["body"].replace("*this*", "*that*"), 2) == 200
    third = note()
    assert own_part(third["body"]) == "Look at *that*.\n\n- a\n- b"
    assert third["body"].count(MARK) == 1
    assert write("", 3) == 200
    assert note()["body"].startswith(f"{MARK}\n\n**")
    assert write("without your line", 4) == 200
    assert note()["body"].startswith(f"without your line\n\n{MARK}\n\n**")


def test_what_somebody_wrote_before_there_was_a_dashboard_of_ours(study: SearchStudy) -> None:
    optuna_dashboard.save_note(study.optuna, "an old note")
    note = get_json(make_app(study.store), "/api/studies/1")["note"]
    assert note["version"] == 1
    assert note["body"].startswith(f"an old note\n\n{MARK}\n\n**")


def test_rejected_trials_are_infeasible_and_no_others(app: App) -> None:
    said = get_json(app, "/api/studies/1")
    infeasible = [[value > 0 for value in trial["constraints"]] for trial in said["trials"]]
    assert infeasible == [[False], [True], [False], []]
    assert [(best["number"], best["constraints"][0] <= 0) for best in said["best_trials"]] == [(0, True)]


def test_a_study_is_deleted_with_all_that_is_kept_of_it_though_a_file_is_gone(
    study: SearchStudy, app: App, tmp_path: Path
) -> None:
    (tmp_path / "weights.pt").write_text("weights")
    for number in (2, 3):  # of trials that have not ended: Optuna takes no files for others
        upload_artifact(
            artifact_store=study.store.artifacts(),
            file_path=str(tmp_path / "weights.pt"),
            study_or_trial=optuna.Trial(study.optuna, number + 1),
        )
    add_verification(study, 0, [0.9])
    gone, kept = study.store.artifact_folder.iterdir()
    gone.unlink()
    get_json(app, "/api/studies/1")
    assert call_app(app, "DELETE", "/api/studies/1", body={})[0] == 200
    assert not kept.exists()
    assert call_app(app, "GET", "/api/studies/1")[0] == 404
    assert get_json(app, "/api/studies") == {"study_summaries": []}
    with study.store.engine.connect() as connection:
        for row in (EpochRow, VerificationRow):
            assert connection.scalar(select(func.count()).select_from(row)) == 0


@pytest.mark.parametrize("form", ["list", "keys"])
def test_either_form_of_a_constraint_is_shown(store: Store, form: str) -> None:
    """Optuna 4 kept a list, which optuna-dashboard reads; Optuna 5 keeps one by one."""
    study = empty_study(store)
    for excess in (-5.0, 7.0):
        trial_id = begin(study, None)
        key, value = (attributes.CONSTRAINTS, [excess]) if form == "list" else ("constraints:params", excess)
        store.optuna.set_trial_system_attr(trial_id, key, value)
    assert [trial["constraints"] for trial in get_json(make_app(store), "/api/studies/1")["trials"]] == [[-5.0], [7.0]]


@pytest.mark.usefixtures("_up_to_date")
def test_a_study_that_was_deleted_and_begun_anew_is_a_new_one(study: SearchStudy, app: App, plain: App) -> None:
    """As soon as optuna-dashboard has forgotten the old one: its trials had the same numbers, and as many ended."""
    assert "99.00% as the mean of the last 2 epochs" in assert_alike(app, plain)["note"]["body"]
    optuna.delete_study(study_name=study.name, storage=study.store.optuna)
    assert call_app(app, "GET", "/api/studies/1")[0] == 404
    again = empty_study(study.store)
    assert again.study_id == 1
    trained(again, 2, 0.5, 0.5, 0.5)
    end(again, begin(again, 0), Outcome.FAILED, reason="bad luck")
    said = assert_alike(app, plain)
    assert "below 99.00%" in said["trials"][0]["note"]["body"]
    assert "bad luck" in said["trials"][1]["note"]["body"]
    assert [trial["number"] for trial in said["best_trials"]] == [0]


def test_an_old_answer_of_optuna_dashboard_is_not_kept_for_the_new_study(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = empty_study(store)
    trained(study, 0, 0.9, 0.9, 0.9)
    app = make_app(store)
    get_json(app, "/api/studies/1")
    optuna.delete_study(study_name=study.name, storage=store.optuna)
    trained(empty_study(store), 0, 0.5, 0.5, 0.5)
    get_json(app, "/api/studies/1")  # optuna-dashboard has not looked again
    monkeypatch.setattr(
        "optuna_dashboard._app.get_trials", lambda _, storage, study_id: storage.get_all_trials(study_id, False)
    )
    [trial] = get_json(app, "/api/studies/1")["trials"]
    assert trial["values"] == [0.5]


@pytest.mark.usefixtures("_up_to_date")
def test_one_begun_anew_with_other_settings_has_those(store: Store) -> None:
    trained(empty_study(store), 0, 0.9, 0.9, 0.9)
    app = make_app(store)
    get_json(app, "/api/studies/1")
    optuna.delete_study(study_name="digits", storage=store.optuna)
    trained(empty_study(store, target=0.5), 0, 0.9, 0.9, 0.9)  # nobody has looked in between
    [trial] = get_json(app, "/api/studies/1")["trials"]
    assert "**Held 50.00% in each of its last 2 epochs: 90.00% sustained.**" in trial["note"]["body"]


@pytest.mark.usefixtures("_up_to_date")
def test_a_study_that_is_seen_before_it_has_settings_is_explained_when_it_has(store: Store) -> None:
    new_study(store, "digits")
    app = make_app(store)
    assert get_json(app, "/api/studies/1")["note"]["body"] == ""
    empty_study(store)
    assert get_json(app, "/api/studies/1")["note"]["body"].startswith(MARK)


@pytest.mark.usefixtures("_up_to_date")
def test_a_renamed_study_is_the_same_by_another_name(study: SearchStudy, app: App) -> None:
    """optuna-dashboard would make another of what it shows, without candidates and epochs, and delete this one."""
    before, weights = read_trials(study.store.engine, 1), study.store.optuna.get_study_user_attrs(1)
    said = get_json(app, "/api/studies/1")
    code, body = call_app(app, "POST", "/api/studies/1/rename", body={"study_name": "another name"})
    [listed] = get_json(app, "/api/studies")["study_summaries"]
    assert (code, json.loads(body)) == (201, listed)
    assert (listed["study_name"], listed["study_id"]) == ("another name", 1)
    assert read_trials(study.store.engine, 1) == before
    assert study.store.optuna.get_study_user_attrs(1) == weights
    renamed = get_json(app, "/api/studies/1")
    assert renamed["name"] == "another name"
    assert renamed["trials"][0]["intermediate_values"] == said["trials"][0]["intermediate_values"]
    assert "'another name'" in renamed["note"]["body"]
    assert "'another name'" in renamed["trials"][0]["note"]["body"]
    train(study, 3, 0.9, first=2)  # a search at work goes on


@pytest.mark.parametrize("body", [{}, {"study_name": ""}, {"study_name": 7}, [], {"study_name": "taken"}])
def test_a_name_that_cannot_be_had_is_refused(study: SearchStudy, app: App, body: Any) -> None:
    new_study(study.store, "taken")
    code, answer = call_app(app, "POST", "/api/studies/1/rename", body=body)
    is_taken = body == {"study_name": "taken"}
    reason = "Study name already exists." if is_taken else "A study's name has 1 to 512 letters."
    assert (code, json.loads(answer)) == (400, {"reason": reason})
    code, answer = call_app(app, "POST", "/api/studies/77/rename", body={"study_name": "free"})
    assert (code, json.loads(answer)) == (404, {"reason": "study_id=77 is not found"})
    assert get_json(app, "/api/studies/1")["name"] == "digits"
