"""What is private of Optuna and optuna-dashboard and used here: run this file first with another version of either.

Their modules, attributes, tables and stored words, and the answers of the dashboard's server. All else that is used of
them is documented. The behaviour is tested where it is used: `tests/storage/test_trials.py` and `test_trial_changes.py`
compare our reader and writer with Optuna's own, `tests/search/dashboard` our answers with the dashboard's.
"""

import importlib
import inspect
import json
import math
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage
from packaging.requirements import Requirement
from sqlalchemy import TableClause
from sqlalchemy import inspect as inspect_database

import storage.renaming
import storage.tables
import storage.trials
from search.dashboard.wsgi import App
from search.study import attributes
from tests.helpers.apps import call_app, get_json

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path for room in ("models", "trainer", "storage", "search", "mnist_search") for path in (ROOT / room).rglob("*.py")
)

MODULES = {
    "optuna.storages._cached_storage": {"_CachedStorage"},
    "optuna.storages._rdb": {"models"},
    "optuna.storages._rdb.models": {"StudyModel", "StudySystemAttributeModel", "TrialSystemAttributeModel"},
    "optuna.study._frozen": {"FrozenStudy"},
}
ATTRIBUTES = {"_backend", "_contains", "_study_id", "_trial_id"}
MODELS = {
    *("TrialModel", "TrialParamModel", "TrialValueModel", "TrialIntermediateValueModel"),
    *("TrialUserAttributeModel", "TrialSystemAttributeModel", "NOT_FOUND_MSG"),
}
"""What is used of `optuna.storages._rdb.models`."""
COLUMNS = {
    "studies": {"study_id", "study_name"},
    "study_system_attributes": {"study_id", "key", "value_json"},
    "trials": {"trial_id", "study_id", "number", "state", "datetime_start", "datetime_complete"},
    "trial_params": {"trial_id", "param_id", "param_name", "param_value", "distribution_json"},
    "trial_values": {"trial_id", "objective", "value", "value_type"},
    "trial_intermediate_values": {"trial_id", "step", "intermediate_value", "intermediate_value_type"},
    "trial_user_attributes": {"trial_id", "key", "value_json"},
    "trial_system_attributes": {"trial_id", "key", "value_json"},
}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[RDBStorage]:
    kept = RDBStorage(f"sqlite:///{tmp_path / 'optuna.db'}")
    yield kept
    kept.remove_session()
    kept.engine.dispose()


@pytest.fixture
def study(kept: RDBStorage) -> optuna.Study:
    """A study with an ended trial and one that waits."""
    study = optuna.create_study(study_name="theirs", storage=kept, direction="maximize")
    trial = study.ask({"x": FloatDistribution(0, 1)})
    trial.report(math.inf, 1)
    study.tell(trial, 0.5)
    study.enqueue_trial({"x": 0.25})
    return study


def test_an_upgrade_is_a_decision() -> None:
    """The pins leave out the next version in which private parts may change."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}
    for name, later in (("optuna", "6.0.0"), ("optuna-dashboard", "0.22.0")):
        assert version(name) in needed[name]
        assert later not in needed[name]


def test_these_are_all_private_modules_that_are_imported() -> None:
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for module, names in re.findall(r"from (optuna\w*(?:\.\w+)*\._[\w.]+) import ([\w, ]+)", path.read_text()):
            found.setdefault(module, set()).update(name.strip() for name in names.split(","))
    assert found == MODULES
    assert [name for module, names in MODULES.items() for name in names
            if not hasattr(importlib.import_module(module), name)] == []  # fmt: skip


def test_these_are_all_private_attributes_that_are_read(kept: RDBStorage, study: optuna.Study) -> None:
    cached = _cached_storage()(kept)
    [frozen], [summary] = study.trials[:1], kept.get_all_studies()
    objects = (study, frozen, summary, cached, kept, FloatDistribution(0, 1), study.sampler, study.pruner)
    theirs = {name for one in objects for name in (*dir(one), *vars(one)) if re.match("_[a-z]", name)}
    read = {name for path in SOURCES for owner, name in re.findall(r"(\w+)\.(_[a-z]\w*)", path.read_text())
            if owner != "self" or "_CachedStorage" in path.read_text()}  # fmt: skip
    assert read & theirs == ATTRIBUTES
    assert (study._study_id, summary._study_id, frozen._trial_id) == (1, 1, 1)
    assert FloatDistribution(0, 1)._contains(0.5)
    assert not FloatDistribution(0, 1)._contains(2.0)
    assert cached._backend is kept


def _cached_storage() -> Any:
    return importlib.import_module("optuna.storages._cached_storage")._CachedStorage


def test_these_are_all_models_that_are_used() -> None:
    models = importlib.import_module("optuna.storages._rdb.models")
    text = "\n".join(path.read_text() for path in SOURCES)
    assert set(re.findall(r"\bmodels\.([A-Z]\w+)", text)) == MODELS
    assert [name for name in MODELS if not hasattr(models, name)] == []
    words = {models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)[1].name
             for value in (math.inf, -math.inf, math.nan)}  # fmt: skip
    assert words == set(storage.trials._NOT_FINITE)
    assert models.TrialValueModel.value_to_stored_repr(0.5) == (0.5, models.TrialValueModel.TrialValueType.FINITE)


def test_these_are_all_tables_and_columns_that_are_read(kept: RDBStorage, study: optuna.Study) -> None:
    inspector = inspect_database(kept.engine)
    there = {name: {column["name"] for column in inspector.get_columns(name)} for name in inspector.get_table_names()}
    assert {name: columns - there.get(name, set()) for name, columns in COLUMNS.items()} == {
        name: set() for name in COLUMNS
    }
    for module in (storage.trials, storage.renaming):
        for _, table in inspect.getmembers(module, lambda member: isinstance(member, TableClause)):
            assert set(table.c.keys()) <= COLUMNS[table.name], table.name
    for table in (storage.tables.trials, storage.tables.studies):
        assert set(table.c.keys()) <= COLUMNS[table.name]


def test_system_attributes_are_called_as_we_call_them(kept: RDBStorage, study: optuna.Study, tmp_path: Path) -> None:
    assert study.trials[1].system_attrs[attributes.FIXED_PARAMS] == {"x": 0.25}
    file = tmp_path / "file"
    file.write_text("a file")
    upload_artifact(artifact_store=FileSystemArtifactStore(tmp_path), file_path=str(file), study_or_trial=study)
    [(key, value)] = kept.get_study_system_attrs(1).items()
    assert (key.startswith(attributes.ARTIFACT), json.loads(value)["filename"]) == (True, "file")
    study.ask().set_constraint("params", 3.0)
    [constraint] = study.trials[1].system_attrs.keys() - {attributes.FIXED_PARAMS}
    assert constraint == f"{attributes.CONSTRAINTS}:params"


@pytest.fixture
def app(study: optuna.Study, kept: RDBStorage) -> App:
    made: App = optuna_dashboard.wsgi(kept)
    return made


def test_the_dashboard_answers_as_the_page_s_notes_and_figures_need_it(app: App) -> None:
    detail = get_json(app, "/api/studies/1")
    assert detail.keys() >= {"name", "note", "plotly_graph_objects", "trials", "best_trials"}
    assert (detail["note"]["body"], detail["plotly_graph_objects"]) == ("", [])
    ended, waiting = detail["trials"]
    assert (ended["number"], ended["state"], ended["note"]["body"]) == (0, "Complete", "")
    assert ended.keys() >= {"datetime_start", "note"}
    assert waiting["state"] == "Waiting"
    assert [trial["number"] for trial in detail["best_trials"]] == [0]
    assert [trial["number"] for trial in get_json(app, "/api/studies/1", "after=1")["trials"]] == [1]


def test_the_dashboard_takes_notes_and_names_as_ours_does(app: App) -> None:
    for path in ("/api/studies/1/note", "/api/studies/1/1/note"):
        assert call_app(app, "PUT", path, body={"body": "words", "version": 1}) == (204, b"")
    assert get_json(app, "/api/studies/1")["note"] == {"body": "words", "version": 1}
    code, body = call_app(app, "POST", "/api/studies/1/rename", body={"study_name": "ours"})
    assert code == 201
    assert json.loads(body).keys() == {"study_id", "study_name", "directions", "user_attrs", "is_preferential"}
