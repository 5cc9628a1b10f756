"""The dashboard on a database of somebody else: the page is there and shows what it can, whatever attributes say."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.dashboard.access import Access
from search.dashboard.app import make_app
from search.dashboard.guard import guarded
from search.dashboard.own_words import MARK
from search.dashboard.quiet import quiet
from search.dashboard.wsgi import App
from search.study import attributes
from search.study.soundness import _KINDS
from storage.store import Store
from tests.helpers.apps import call_app, get_json
from tests.helpers.many_inputs import tried_on
from tests.helpers.odd_values import values
from tests.helpers.somebodys import FILE, JSON_COLUMNS, change_json, given_to, make_database, opened

SUBJECT = "attributes that the dashboard shows"
OURS = [table for table in JSON_COLUMNS if table not in ("trial_system_attributes", "study_system_attributes")]
"""What Optuna itself keeps in the other two, optuna-dashboard takes as it stands."""


@pytest.fixture(scope="module")
def database(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_database(searched, tmp_path_factory.mktemp("somebodys"))


def look(folder: Path) -> dict[str, Any]:
    """What the pages of the study say, and its files; whatever is asked for is answered."""
    with quiet(), closing(Store(f"sqlite:///{folder / FILE}")) as store:
        app = guarded(make_app(store), Access(), 8080)
        get_json(app, "/api/studies")
        said: dict[str, Any] = get_json(app, "/api/studies/1")
        for path in _files(said):
            assert call_app(app, "GET", path)[0] in (200, 404), path
        assert _codes(app) <= {200, 404}
    return said


def _codes(app: App) -> set[int]:
    paths = ("/api/studies/1/param_importances", "/api/studies/1", "/dashboard/studies/1", "/artifacts/1/1")
    return {call_app(app, "GET", path)[0] for path in paths}


def _files(said: dict[str, Any]) -> list[str]:
    of_trials = [(trial["trial_id"], one["artifact_id"]) for trial in said["trials"] for one in trial["artifacts"]]
    return [f"/artifacts/1/{one['artifact_id']}" for one in said["artifacts"]] + [
        f"/artifacts/1/{trial}/{number}" for trial, number in of_trials
    ]


@pytest.mark.usefixtures("own_folder")
@tried_on(4, 300, SUBJECT)
@given(st.data())
def test_any_attribute_of_ours(database: bytes, own_folder: Path, data: st.DataObject) -> None:
    with given_to(own_folder, database) as folder:
        change_json(folder / FILE, data, tuple(OURS))
        look(folder)


@pytest.mark.usefixtures("own_folder")
@tried_on(4, 300, SUBJECT)
@given(st.sampled_from(sorted(_KINDS)), values(4), st.integers(1, 6))
def test_a_foreign_program_that_uses_a_name_of_ours(
    database: bytes, own_folder: Path, name: str, value: Any, trial_id: int
) -> None:
    with given_to(own_folder, database) as folder:
        with opened(folder / FILE) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)",
                (trial_id, name, json.dumps(value)),
            )
            [[n_trials]] = connection.execute("SELECT COUNT(*) FROM trials").fetchall()
        said = look(folder)
    assert len(said["trials"]) == n_trials > 3
    for trial in said["trials"]:
        assert MARK in trial["note"]["body"]


def test_only_the_trial_at_fault_is_without_its_words(database: bytes, own_folder: Path) -> None:
    with given_to(own_folder, database) as folder:
        with opened(folder / FILE) as connection:
            connection.execute(
                "UPDATE trial_user_attributes SET value_json = '\"many\"' WHERE key = ? AND trial_id = 3",
                (attributes.PARAMS,),
            )
        notes = [trial["note"]["body"] for trial in look(folder)["trials"]]
    assert "**Ended by another program, as COMPLETE.**" in notes[2]
    assert sum("**Ended by another program" in note for note in notes) == 1
    assert "sustained" in notes[1]


def test_a_damaged_verification_is_said_in_the_place_of_the_study_s_note(database: bytes, own_folder: Path) -> None:
    with given_to(own_folder, database) as folder:
        with opened(folder / FILE) as connection:
            connection.execute('UPDATE verifications SET summary = \'{"n_seeds": "five"}\'')
        said = look(folder)
    assert "is damaged: n\\_seeds is 'five': it must be a whole number of at least 1;" in said["note"]["body"]
    assert all(MARK in trial["note"]["body"] for trial in said["trials"])
