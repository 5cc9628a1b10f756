"""What a trial must hold to be one of ours; most of it is tried in tests/fuzz."""

import copy

from optuna.trial import TrialState

from search.study.outcomes import Outcome
from search.study.soundness import fault_of
from storage.store import Store
from tests.helpers.searches import begin, search


def test_a_trial_that_ends_while_it_is_read_is_not_damaged(store: Store) -> None:
    """Its state is read first, and was RUNNING then; its attributes and its value are read behind it."""
    study = begin(store)
    search(study, 1)
    [trained] = study.trials(Outcome.TRAINED)
    assert fault_of(trained) is None
    ending = copy.copy(trained)
    ending.state = TrialState.RUNNING
    assert fault_of(ending) is None
    ending.state = TrialState.PRUNED
    assert fault_of(ending) == f"it was trained, and is PRUNED with the value {trained.values}"
