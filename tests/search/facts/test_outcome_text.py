"""What became of a trial, in a sentence."""

import pytest
from optuna.trial import TrialState, create_trial

from search.facts.outcome_text import outcome_text
from search.study.settings import StudySettings

SETTINGS = StudySettings("digits", target=0.99, sustain=3, epochs=6)
PRUNED, FAIL, RUNNING = TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING


@pytest.mark.parametrize(
    ("value", "held", "sustain", "text"),
    [
        (0.99125, True, 3, "Held 99.00% in each of its last 3 epochs: 99.12% sustained"),
        (0.99125, False, 3, "Reached 99.00%, but did not hold it: 99.12% is the mean of its last 3 epochs"),
        (0.99, False, 3, "Reached 99.00%, but did not hold it: 99.00% is the mean of its last 3 epochs"),
        (0.98999, False, 3, "Trained to the end: 98.99% sustained over its last 3 epochs, below 99.00%"),
        (0.0, False, 3, "Trained to the end: 0.00% sustained over its last 3 epochs, below 99.00%"),
        (1.0, True, 1, "Held 99.00% in its last epoch: 100.00% sustained"),
        (0.5, False, 1, "Trained to the end: 50.00% sustained over its last epoch, below 99.00%"),
    ],
)
def test_of_the_trained(value: float, held: bool, sustain: int, text: str) -> None:
    trial = create_trial(value=value, user_attrs={"outcome": "trained", "held": held})
    assert outcome_text(trial, StudySettings("digits", target=0.99, sustain=sustain)) == text


@pytest.mark.parametrize(
    ("state", "n_epochs", "outcome", "reason", "text"),
    [
        (PRUNED, 2, "pruned", "98.61% against a median of 98.90% in epoch 2",
         "Stopped after epoch 2: 98.61% against a median of 98.90%"),
        (PRUNED, 2, "pruned", "a word in epoch 12", "Stopped after epoch 2: a word in epoch 12"),
        (PRUNED, 0, "rejected", "10,001 parameters", "Rejected before training: 10,001 parameters"),
        (FAIL, 0, "rejected", "no range has it", "Rejected before training: no range has it"),
        (PRUNED, 1, "diverged", "the loss was not finite in epoch 2", "Diverged: the loss was not finite in epoch 2"),
        (FAIL, 1, "failed", "its worker ended", "Failed: its worker ended"),
        (FAIL, 1, "interrupted", "by the user", "Interrupted: by the user"),
        (FAIL, 0, "duplicate", "equal to trial 1", "Not trained: equal to trial 1"),
        (FAIL, 0, "failed", None, "Failed"),
        (PRUNED, 3, "pruned", None, "Stopped after epoch 3"),
        (RUNNING, 0, None, None, "In training: its first epoch is not over"),
        (RUNNING, 2, None, None, "In training: 52.00% after epoch 2 of 6"),
        (TrialState.WAITING, 0, None, None, "Waits to be trained"),
        (TrialState.WAITING, 0, "failed", None, "Waits to be trained"),
        (TrialState.COMPLETE, 0, None, None, "Ended by another program, as COMPLETE"),
        (FAIL, 0, None, "theirs", "Ended by another program, as FAIL"),
    ],
)  # fmt: skip
def test_of_all_others(state: TrialState, n_epochs: int, outcome: str | None, reason: str | None, text: str) -> None:
    attrs = {key: value for key, value in (("outcome", outcome), ("reason", reason)) if value is not None}
    reports = {epoch: 0.5 + epoch / 100 for epoch in range(1, n_epochs + 1)}
    value = 0.5 if state is TrialState.COMPLETE else None
    trial = create_trial(state=state, value=value, user_attrs=attrs, intermediate_values=reports)
    assert outcome_text(trial, SETTINGS) == text
