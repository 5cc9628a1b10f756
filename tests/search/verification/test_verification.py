"""Verification on a real storage, with real trainings on a few digits in this process."""

import io
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.build import build
from models.candidate import Candidate
from models.layers import Conv
from models.recipe import Recipe
from models.template import Template
from search.verification.seed_trainer import Question, SeedTrainer
from search.verification.seeds import fresh_seeds
from search.verification.summary import summarise
from search.verification.trainings import Entry, SeedTraining, TrainingListener, VerificationFailedError
from storage.store import Store
from storage.verifications import verification_runs_of, verification_weights
from tests.helpers.inline import BatchEngine, InlineEngine, small_digits
from tests.helpers.trainings import plain_logits
from trainer.data.images import TrainingData

ARCH = Template((4,), 4, (6,)).arch()
ENTRY = Entry("mine", Candidate(ARCH, Recipe(epochs=3, batch_size=32)))
OTHER = Entry("other", Candidate(ARCH, Recipe(epochs=3, batch_size=16)))
QUESTION = Question("digits", "test", 0.5, 2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'test.db'}")


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return small_digits()


def verifier(store: Store, engine: InlineEngine, listener: TrainingListener | None = None, **how: Any) -> SeedTrainer:
    provenance = {"trained_on": "a test"}
    return SeedTrainer(
        store.engine, lambda: closing(engine), QUESTION, provenance, listener or TrainingListener(), **how
    )


def without_times(run: dict[str, Any]) -> dict[str, Any]:
    times = ("seconds", "core_seconds", "run_id")
    curves = [{k: v for k, v in epoch.items() if k not in times} for epoch in run["curves"]]
    return {k: v for k, v in run.items() if k not in times} | {"curves": curves}


def test_seeds_are_fresh_and_more_of_them_begin_with_the_same() -> None:
    ids, splits = [ENTRY.candidate.id, OTHER.candidate.id], ("test", "holdout")
    all_seeds = [seed for one in ids for split in splits for seed in fresh_seeds(one, split, 10)]
    assert len(set(all_seeds)) == 40
    assert fresh_seeds(ids[0], "test", 10)[:5] == fresh_seeds(ids[0], "test", 5)
    of_studies = {int(np.random.SeedSequence([s, t]).generate_state(1)[0]) for s in range(20) for t in range(200)}
    assert not of_studies & set(all_seeds)


def test_every_seed_is_kept_with_its_epochs_and_its_answers(store: Store, data: TrainingData) -> None:
    runs = verifier(store, InlineEngine(data)).runs([ENTRY], 3)[ENTRY.candidate.id]
    assert [run["seed"] for run in runs] == fresh_seeds(ENTRY.candidate.id, "test", 3)
    labels = data.evaluation.labels.tolist()
    for run in runs:
        assert [epoch["epoch"] for epoch in run["curves"]] == [1, 2, 3]
        last_two = [epoch["eval_accuracy"] for epoch in run["curves"]][-2:]
        assert run["sustained_accuracy"] == pytest.approx(sum(last_two) / 2)
        n_right = sum(int(answer) == label for answer, label in zip(run["predictions"], labels, strict=True))
        assert n_right / len(labels) == run["curves"][-1]["eval_accuracy"]
        assert run["trained_on"] == "a test"
    assert len({run["sustained_accuracy"] for run in runs}) > 1, "seeds differ"
    assert verification_runs_of(store.engine, ENTRY.candidate.id, "digits") == runs


def test_the_kept_network_gives_the_kept_answers(store: Store, data: TrainingData) -> None:
    runs = verifier(store, InlineEngine(data)).runs([ENTRY], 2)[ENTRY.candidate.id]
    for run in runs:
        kept = verification_weights(store.engine, run["run_id"])
        assert kept is not None
        network = build(ENTRY.candidate.arch)
        network.load_state_dict(torch.load(io.BytesIO(kept), weights_only=True))
        answers = plain_logits(network, data.evaluation, data).argmax(1)
        assert "".join(map(str, answers.tolist())) == run["predictions"]


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, store: Store, data: TrainingData) -> None:
    ended: list[SeedTraining] = []

    class Watch(TrainingListener):
        def ended(self, training: SeedTraining) -> None:
            ended.append(training)

    stopped = verifier(store, InlineEngine(data), Watch(), should_stop=lambda: len(ended) >= 2)
    assert len(stopped.runs([ENTRY], 5)[ENTRY.candidate.id]) == 2
    rest = InlineEngine(data)
    resumed = verifier(store, rest).runs([ENTRY], 5)[ENTRY.candidate.id]
    assert len(rest.jobs) == 3
    at_once = Store(f"sqlite:///{tmp_path / 'other.db'}")
    whole = verifier(at_once, InlineEngine(data)).runs([ENTRY], 5)[ENTRY.candidate.id]
    assert list(map(without_times, resumed)) == list(map(without_times, whole))


def test_a_training_is_not_lost_while_another_program_has_locked_the_database(
    tmp_path: Path, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.urls.BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr("storage.patience.QUIET_SECONDS", 0)
    impatient, heard = Store(f"sqlite:///{tmp_path / 'test.db'}"), list[str]()
    other = sqlite3.connect(tmp_path / "test.db", check_same_thread=False)
    release = threading.Timer(0.5, other.rollback)

    class Locking(TrainingListener):
        def ended(self, training: SeedTraining) -> None:
            heard.append(f"seed {training.seed_number}")
            if training.seed_number == 1:
                other.execute("BEGIN IMMEDIATE")
                release.start()

        def waits(self, line: str) -> None:
            heard.append(line)

    runs = verifier(impatient, InlineEngine(data), Locking()).runs([ENTRY], 3)[ENTRY.candidate.id]
    release.join()
    other.close()
    assert [run["seed_number"] for run in runs] == [1, 2, 3]
    first, waited, works, *rest = heard
    assert (first, rest) == ("seed 1", ["seed 2", "seed 3"])
    assert waited == "the database is locked by another program: waiting for up to 10 min"
    assert works.startswith("the database works again, after ")


def test_nothing_is_started_when_all_is_done(store: Store, data: TrainingData) -> None:
    verifier(store, InlineEngine(data)).runs([ENTRY], 2)

    def refuse() -> Any:
        raise AssertionError("no engine is needed")

    again = SeedTrainer(store.engine, refuse, QUESTION, {}, TrainingListener())
    assert len(again.runs([ENTRY], 2)[ENTRY.candidate.id]) == 2


def test_candidates_take_turns(store: Store, data: TrainingData) -> None:
    engine = InlineEngine(data)
    runs = verifier(store, engine).runs([ENTRY, OTHER], 2)
    assert {key: len(of) for key, of in runs.items()} == {ENTRY.candidate.id: 2, OTHER.candidate.id: 2}
    assert [job.candidate["recipe"]["batch_size"] for job in engine.jobs] == [32, 16, 32, 16]


def test_a_training_that_broke_twice_is_no_verdict_and_ends_it_with_what_is_done(
    store: Store, data: TrainingData
) -> None:
    engine = InlineEngine(data)
    engine.breaks_at = {1}
    with pytest.raises(
        VerificationFailedError, match=r"^mine, seed 2 broke twice; the last time: its worker ended with exit code -9$"
    ):
        verifier(store, engine).runs([ENTRY], 3)
    assert len(verification_runs_of(store.engine, ENTRY.candidate.id)) == 1


def test_what_ends_along_with_one_that_broke_is_kept(store: Store, data: TrainingData) -> None:
    engine = BatchEngine(data, 3)
    engine.breaks_at = {0}
    with pytest.raises(VerificationFailedError, match=r"^mine, seed 1 broke twice"):
        verifier(store, engine).runs([ENTRY], 3)
    kept = verification_runs_of(store.engine, ENTRY.candidate.id)
    assert {run["seed"] for run in kept} == set(fresh_seeds(ENTRY.candidate.id, "test", 3)[1:])


def test_a_seed_that_diverges_counts_as_one_that_failed(store: Store, data: TrainingData) -> None:
    bare = Template((4,), 4, (6,), order="bn-relu").arch()
    layers = tuple(replace(layer, then=()) if isinstance(layer, Conv) else layer for layer in bare.layers)
    entry = Entry("diverges", Candidate(replace(bare, layers=layers), Recipe(epochs=3, batch_size=8, lr=100.0)))
    runs = verifier(store, InlineEngine(data)).runs([entry], 2)[entry.candidate.id]
    summary = summarise(runs)
    assert (summary["n_diverged"], summary["n_held"], summary["sustained_accuracy"]) == (2, 0, 0.0)
    assert not summary["verified"]
    assert all(run["predictions"] == "" for run in runs)
    assert [verification_weights(store.engine, run["run_id"]) for run in runs] == [None, None]


def run(*accuracies: float, diverged: int | None = None) -> dict[str, Any]:
    """A kept run with these accuracies by epoch."""
    curves = [{"epoch": i, "eval_accuracy": accuracy} for i, accuracy in enumerate(accuracies, 1)]
    return {
        "curves": curves, "diverged": diverged, "target": 0.994, "sustain": 3, "epochs": len(curves),
        "best_accuracy": max(accuracies), "seconds": 10.0, "core_seconds": 9.0,
    }  # fmt: skip


def test_a_summary_by_hand() -> None:
    runs = [run(0.9, 0.994, 0.994, 0.994), run(0.999, 0.995, 0.996, 0.994), run(0.9, 0.992, 0.994, 0.9955)]
    summary = summarise(runs)
    assert summary["sustained_accuracy"] == pytest.approx((0.994 + 0.995 + 0.9938333333) / 3)
    assert summary["deviation"] == pytest.approx(0.00063099, abs=1e-7)
    assert summary["minimum"] == pytest.approx(0.9938333333)
    assert (summary["n_held"], summary["held_share"]) == (2, pytest.approx(2 / 3))
    assert summary["held_interval"] == pytest.approx([0.20765, 0.93851], abs=1e-5)
    assert summary["best_accuracy"] == 0.999
    assert (summary["verified"], summary["verdict"], summary["seeds_to_settle"]) == (False, "too_few_seeds", 5)
    assert summary["margin"] == pytest.approx(summary["sustained_accuracy"] - 0.994)
    assert (summary["seconds"], summary["core_seconds"]) == (30.0, 27.0)


def test_exactly_at_target_is_verified_and_a_hair_below_is_not() -> None:
    at = summarise([run(0.994, 0.994, 0.994)] * 10)
    assert (at["verified"], at["mean_interval"], at["seeds_to_settle"]) == (True, [0.994, 0.994], None)
    below = summarise([run(0.994, 0.994, 0.994)] * 9 + [run(0.994, 0.994, 0.9939)])
    assert (below["verified"], below["verdict"]) == (False, "below_target")
    assert below["margin"] < 0


def test_a_mean_on_target_is_not_verified_while_its_interval_reaches_below() -> None:
    runs = [run(*[accuracy] * 3) for accuracy in (0.993, 0.9942, 0.9942, 0.9944, 0.9947)]
    summary = summarise(runs)
    assert summary["margin"] > 0
    assert summary["mean_interval"][0] < 0.994
    assert (summary["verified"], summary["verdict"]) == (False, "on_target_not_proven")
    assert summary["seeds_to_settle"] > 5


def test_a_single_seed_has_no_interval() -> None:
    summary = summarise([run(0.995, 0.995, 0.995)])
    assert (summary["n_seeds"], summary["deviation"], summary["mean_interval"]) == (1, None, None)
    assert (summary["verdict"], summary["verified"]) == ("too_few_seeds", False)


def test_target_and_length_can_be_asked_for_anew() -> None:
    runs = [run(0.99, 0.991, 0.993, 0.995)]
    assert summarise(runs)["sustained_accuracy"] == pytest.approx(0.993)
    assert summarise(runs, target=0.995, sustain=1)["n_held"] == 1
    assert summarise(runs * 5, target=0.995, sustain=1)["verified"]
    assert summarise(runs * 5)["verdict"] == "refuted"


def test_another_number_format_or_release_of_torch_trains_its_seeds_again(store: Store, data: TrainingData) -> None:
    def trained(**on: str) -> int:
        engine = InlineEngine(data)
        trainer = SeedTrainer(store.engine, lambda: closing(engine), QUESTION, on, TrainingListener())
        runs = trainer.runs([ENTRY], 1)[ENTRY.candidate.id]
        assert [(run["precision"], run["torch"]) for run in runs] == [(on["precision"], runs[0]["torch"])]
        return len(engine.jobs)

    assert trained(precision="float32", torch="2.15.0") == 1
    assert trained(precision="float32", torch="2.15.0+cu130") == 0
    assert trained(precision="bfloat16", torch="2.15.0") == 1
    assert trained(precision="float32", torch="2.16.0") == 1
    assert len(verification_runs_of(store.engine, ENTRY.candidate.id)) == 3
