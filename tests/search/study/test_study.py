"""A study: its best and smallest trials, its counts, and its birth."""

import json
import sqlite3
from pathlib import Path

import optuna

from search.study.outcomes import Outcome
from search.study.study import is_begun, open_study
from storage.store import Store
from tests.helpers.searches import SMALL, begin, search


def test_best_is_the_most_accurate_and_smallest_the_smallest_at_target(store: Store) -> None:
    study = begin(store, target=0.05)
    search(study, 6)
    trained = study.trials(Outcome.TRAINED)
    best, smallest = study.best(), study.smallest()
    assert best is not None
    assert smallest is not None
    assert best.value == max(trial.value or 0.0 for trial in trained)
    at_target = [t for t in trained if (t.value or 0.0) >= 0.05]
    assert smallest.user_attrs["params"] == min(trial.user_attrs["params"] for trial in at_target)


def test_counts_agree_with_the_database_by_plain_sql(store: Store, tmp_path: Path) -> None:
    study = begin(store, {**SMALL, "stem_width": "2:30", "body_width": "2:30", "transition_width": "2:6"})
    search(study, 4)
    rows = (
        sqlite3.connect(tmp_path / "s.db")
        .execute(
            "SELECT a.value_json, t.state, COUNT(*) FROM trials t JOIN trial_user_attributes a USING (trial_id) "
            "WHERE a.key = 'outcome' GROUP BY 1, 2"
        )
        .fetchall()
    )
    by_sql = {(json.loads(outcome), state): n for outcome, state, n in rows}
    counts = open_study(store, "s").counts()
    assert by_sql == {
        ("trained", "COMPLETE"): counts["trained"],
        ("rejected", "PRUNED"): counts["rejected"],
    }


def test_a_study_killed_at_its_birth_is_begun_again(store: Store) -> None:
    optuna.create_study(study_name="s", storage=store.optuna, direction="maximize")
    assert not is_begun(store, "s")
    assert search(begin(store), 1).n_done == 1
    assert is_begun(store, "s")
