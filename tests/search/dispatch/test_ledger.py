"""What is kept of a trial: its epochs as they come, and what it came to."""

import pytest

from search.study.outcomes import Outcome
from storage.epochs import epochs_of
from storage.store import Store
from tests.helpers.inline import InlineEngine, small_digits
from tests.helpers.searches import begin, search
from trainer.training.records import EpochRecord
from trainer.workers.messages import Job


def test_a_trained_trial_keeps_its_epochs_and_its_sustained_accuracy(store: Store) -> None:
    study = begin(store, epochs=3, sustain=2)
    search(study, 1)
    [trial] = study.trials(Outcome.TRAINED)
    records = epochs_of(store.engine, trial._trial_id)
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert trial.value == pytest.approx((records[1]["eval_accuracy"] + records[2]["eval_accuracy"]) / 2)
    assert trial.intermediate_values == {r["epoch"]: r["eval_accuracy"] for r in records}
    assert trial.user_attrs["best_accuracy"] == max(record["eval_accuracy"] for record in records)


def test_epochs_are_kept_as_they_come(store: Store) -> None:
    """An epoch is in the database before the next one begins: a crash loses at most the epoch under way."""
    seen: list[int] = []

    def count(job: Job, record: EpochRecord) -> None:
        trial = study.optuna.get_trials(deepcopy=False)[job.number]
        seen.append(len(epochs_of(store.engine, trial._trial_id)))

    study = begin(store, epochs=3)
    search(study, 1, InlineEngine(small_digits(), after_epoch=count))
    assert seen == [0, 1, 2]
