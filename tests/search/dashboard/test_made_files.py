"""Files that are made when somebody asks for them."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from optuna.artifacts import upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import TrialState
from PIL import Image

from models.spec.file import load_spec
from search.dashboard.app import make_app
from search.dashboard.artifact_store import DashboardArtifacts
from search.dashboard.curves_picture import curves_figure, curves_png
from search.dashboard.guard import with_safe_answers
from search.dashboard.made_files import Kind, Made, made_of
from search.dashboard.view import StudyView
from search.study.outcomes import Outcome
from search.study.study import SearchStudy, candidate_of
from search.study.warm_start import given_names, queue, warm_start_candidates
from storage.epochs import epochs_of
from storage.store import Store
from tests.helpers.apps import call_app, get_json
from tests.helpers.databases import url_of
from tests.helpers.growing_studies import begin, empty_study, end, train, trained
from tests.helpers.pages import figures, shown_text

EVAL_BLUE = (0x3B, 0x82, 0xF6)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SearchStudy:
    """A trained, a rejected, a running trial and one that waits; the name of the study is an odd one."""
    study = empty_study(Store(url_of(tmp_path_factory.mktemp("files") / "s.db")), "a: {b}\n# c </script>")
    trained(study, 0, 0.9, 0.95, 0.97)
    end(study, begin(study, -1), Outcome.REJECTED)
    train(study, begin(study, 1), 0.5)
    begin(study, None, TrialState.WAITING)
    return study


@pytest.fixture(scope="module")
def files(study: SearchStudy) -> DashboardArtifacts:
    return DashboardArtifacts(StudyView(study.store))


def content(files: DashboardArtifacts, owner_id: int, kind: Kind) -> bytes:
    return files.open_reader(Made(owner_id, kind).artifact_id).read()


def test_the_axis_of_accuracies_ends_at_100_percent() -> None:
    epochs = [{"epoch": n, "train_accuracy": 0.98, "eval_accuracy": accuracy, "train_loss": 0.1, "eval_loss": 0.1}
              for n, accuracy in ((1, 0.97), (2, 1.0))]  # fmt: skip
    accuracy, _ = curves_figure(epochs, 0.994, "a title").axes
    assert accuracy.get_ylim()[1] == 100.0
    epochs[1]["eval_accuracy"] = 0.98
    accuracy, _ = curves_figure(epochs, 0.98, "a title").axes
    assert 98 < accuracy.get_ylim()[1] < 99


@pytest.mark.parametrize("trial_id", [1, 3])
def test_the_curves_are_a_picture(files: DashboardArtifacts, trial_id: int) -> None:
    with Image.open(io.BytesIO(content(files, trial_id, Kind.CURVES))) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (900, 380))


@pytest.mark.parametrize("accuracies", [[0.1, 0.3, 0.5], [0.9, 0.98, 0.99], [0.0, 0.0], [1.0, 1.0], [0.5], [0.99, 0.1]])
def test_they_show_every_accuracy_near_the_best(accuracies: list[float]) -> None:
    """However far below the target: of the evaluation's line there is more than its name in the legend."""
    epochs = [
        {"epoch": n, "train_accuracy": 0.2, "eval_accuracy": one, "train_loss": 1.0, "eval_loss": 1.0 / n}
        for n, one in enumerate(accuracies, 1)
    ]
    with Image.open(io.BytesIO(curves_png(epochs, 0.994, "a title"))) as picture:
        left = np.asarray(picture.convert("RGB").crop((0, 0, 450, 380)))
    rows, columns = np.nonzero((left == EVAL_BLUE).all(axis=2))
    assert max(np.ptp(rows), np.ptp(columns)) > 40  # the piece of a line in the legend has half of that


@pytest.mark.parametrize("trial_id", [1, 3])
def test_the_epochs_read_back_to_the_records(study: SearchStudy, files: DashboardArtifacts, trial_id: int) -> None:
    rows = list(csv.DictReader(io.StringIO(content(files, trial_id, Kind.EPOCHS).decode())))
    read = [{name: int(value) if name == "epoch" else float(value) for name, value in row.items()} for row in rows]
    assert read
    assert read == epochs_of(study.store.engine, trial_id)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_spec_is_the_candidate_and_a_search_can_begin_with_it(
    study: SearchStudy, files: DashboardArtifacts, store: Store, tmp_path: Path, number: int
) -> None:
    trial = study.trial(number)
    path = tmp_path / f"trial-{number}.yaml"
    path.write_bytes(content(files, number + 1, Kind.SPEC))
    assert load_spec(path) == candidate_of(trial)
    given = warm_start_candidates([str(path)], 10**7)
    assert given == {str(path): candidate_of(trial)}
    other = empty_study(store, max_params=10**7)
    assert queue(other, given) == 1
    assert given_names(other) == [str(path)]


def test_the_report_is_the_report(study: SearchStudy, files: DashboardArtifacts) -> None:
    page = content(files, study.study_id, Kind.REPORT).decode()
    assert page.startswith("<!doctype html>")
    assert "the best, with 5,050 parameters, came to 96.00%" in shown_text(page)
    assert "pareto" in figures(page)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("owner_id", [1, 15, 16, 4096, 2**31, 2**40])
def test_a_number_says_what_a_file_is_of(owner_id: int, kind: Kind) -> None:
    made = Made(owner_id, kind)
    assert made_of(made.artifact_id) == made
    assert set(made.artifact_id) <= set("0123456789abcdef-")  # what optuna-dashboard lets pass


@pytest.mark.parametrize(
    "artifact_id",
    ["", "d-1", "d-1-", "d-1-0", "d-1-5", "d-1-11", "d--1", "D-1-1", "d-1-1 ", "d-1-1\n", "x-1-1", "d-0-1", "d-1.0-1",
     "5f0b1a44-2b0e-4c0e-8a3b-0d0b7c1d2e3f", "d-1-1/../../s.db"],
)  # fmt: skip
def test_other_numbers_stand_for_none(files: DashboardArtifacts, artifact_id: str) -> None:
    assert made_of(artifact_id) is None


@pytest.mark.parametrize(
    "artifact_id",
    ["d-63-1", "d-63-2", "d-63-3", "d-63-4", f"d-{'f' * 15}-1", f"d-{'f' * 15}-4", f"d-{'f' * 16}-1", f"d-{'f' * 99}-4",
     "d-2-1", "d-2-2", "d-4-1", "d-4-2", "d-4-3", "d-1-5", "d-0-1", "abc", "5f0b1a44-2b0e-4c0e-8a3b-0d0b7c1d2e3f"],
)  # fmt: skip
def test_what_there_is_nothing_to_make_of_is_not_found(files: DashboardArtifacts, artifact_id: str) -> None:
    """Of no such trial or study, of one without epochs or a candidate, and what is no number at all."""
    with pytest.raises(ArtifactNotFound):
        files.open_reader(artifact_id)


def test_nothing_is_made_of_another_programs_study(store: Store) -> None:
    study = store.optuna.create_new_study([])
    trial_id = store.optuna.create_new_trial(study)
    store.optuna.set_trial_intermediate_value(trial_id, 1, 0.5)
    files = DashboardArtifacts(StudyView(store))
    for kind in Kind:
        with pytest.raises(ArtifactNotFound):
            files.open_reader(Made(1, kind).artifact_id)


def test_epochs_that_somebody_else_reported_are_no_records(store: Store) -> None:
    """A trial of a study of ours that a script trains has reports and nothing else."""
    study = empty_study(store)
    study.optuna.enqueue_trial({})
    trial = study.optuna.ask()
    trial.report(0.5, 1)
    app = with_safe_answers(make_app(store))
    for kind in Kind:
        path = f"/artifacts/1/{trial._trial_id}/{Made(trial._trial_id, kind).artifact_id}"
        assert call_app(app, "GET", path)[0] == 404, kind


def test_stored_files_are_read_written_and_removed_as_ever(store: Store, tmp_path: Path) -> None:
    study = empty_study(store)
    (tmp_path / "a.txt").write_text("a")
    number = upload_artifact(
        artifact_store=store.artifacts(), file_path=str(tmp_path / "a.txt"), study_or_trial=study.optuna
    )
    files = DashboardArtifacts(StudyView(store))
    with files.open_reader(number) as file:
        assert file.read() == b"a"
    files.write("b", io.BytesIO(b"b"))
    assert (store.artifact_folder / "b").read_bytes() == b"b"
    files.remove("b")
    files.remove("b")
    files.remove(Made(1, Kind.REPORT).artifact_id)
    assert [path.name for path in store.artifact_folder.iterdir()] == [number]


def test_each_is_served_by_the_address_that_the_page_gives_it(study: SearchStudy) -> None:
    app = make_app(study.store)
    said = get_json(app, "/api/studies/1")
    [report] = said["artifacts"]
    served = [(report, f"/artifacts/1/{report['artifact_id']}")]
    for trial in said["trials"]:
        served += [(one, f"/artifacts/1/{trial['trial_id']}/{one['artifact_id']}") for one in trial["artifacts"]]
    assert [one["filename"] for one, _ in served] == [
        "report.html", "curves.png", "epochs.csv", "trial-0.yaml", "trial-1.yaml", "curves.png", "epochs.csv",
        "trial-2.yaml",
    ]  # fmt: skip
    begins = {"text/html": b"<!doctype", "image/png": b"\x89PNG", "text/csv": b"epoch,", "application/yaml": b"name:"}
    for one, path in served:
        code, body = call_app(app, "GET", path)
        assert code == 200
        assert body.startswith(begins[one["mimetype"]])
