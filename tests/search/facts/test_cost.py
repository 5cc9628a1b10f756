"""What a study has cost, and how soon it came to its target."""

from pathlib import Path

import pytest

from search.facts.cost import cost_facts
from search.study.outcomes import Outcome
from storage.sessions import active_seconds
from storage.store import Store
from tests.helpers.made_studies import EPOCHS, made_study
from tests.helpers.searches import begin, search


def test_the_time_to_target_is_that_of_the_search_until_then(store: Store) -> None:
    study = begin(store, target=0.02)
    search(study, 50, stop_at_target=True)
    facts = cost_facts(study)
    assert facts["seconds_to_target"] == pytest.approx(active_seconds(store.engine, study.study_id), abs=1.0)
    assert facts["seconds_to_verified"] is None


def test_what_pruning_and_the_gate_have_saved(own_folder: Path) -> None:
    """Each pruned trial of a made-up study was stopped after two epochs."""
    study = made_study(own_folder, 20)
    n_pruned, n_trained = len(study.trials(Outcome.PRUNED)), len(study.trials(Outcome.TRAINED))
    facts = cost_facts(study)
    assert n_pruned > 0
    assert (facts["epochs_trained"], facts["epochs_saved"]) == (EPOCHS * n_trained + 2 * n_pruned, 2 * n_pruned)
    assert facts["trainings_avoided"] == len(study.trials(Outcome.REJECTED)) > 0
