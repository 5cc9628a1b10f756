"""Which network is shipped: the median seed of a verification, the one asked for, or the search's own."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import insert

from models.build import build
from models.candidate import Candidate
from models.errors import MnistSearchError
from models.recipe import Recipe
from search.shipping.chosen import choose_network
from search.study.naming import Named
from search.verification.judged import median_run
from storage.store import Store
from storage.tables import VerificationWeightsRow
from storage.verifications import (
    Verification,
    add_verification_run,
    begin_verification,
    end_verification,
    verification_runs_of,
)
from tests.helpers.made_studies import add_verification, made_study
from tests.helpers.trainings import LEARNER

CANDIDATE = Candidate(LEARNER, Recipe(epochs=3))
NAMED = Named("mine", CANDIDATE)
SEEDS = {1: 0.991, 2: 0.999, 3: 0.995, 4: 0.993}


def network_of(seed_number: int) -> bytes:
    """A network that was never trained, but its seed's number can be told from it."""
    weights = build(CANDIDATE.arch).state_dict()
    next(iter(weights.values())).fill_(seed_number)
    content = io.BytesIO()
    torch.save(weights, content)
    return content.getvalue()


def seed_of(weights: dict[str, torch.Tensor]) -> int:
    return int(next(iter(weights.values())).flatten()[0])


def run_of(seed_number: int, accuracy: float, **changes: Any) -> dict[str, Any]:
    losses = {"train_loss": 0.1, "eval_loss": 0.1, "lr": 0.1, "seconds": 1.0}
    curves = [{"epoch": n, "train_accuracy": accuracy, "eval_accuracy": accuracy, **losses} for n in (1, 2, 3)]
    return {
        "candidate": CANDIDATE.id, "dataset": "digits", "split": "test", "seed": 1000 + seed_number,
        "seed_number": seed_number, "torch": "2.15.0", "precision": "float32", "trained_on": "a test", "epochs": 3,
        "curves": curves, "diverged": None, "target": 0.99, "sustain": 3, "best_accuracy": accuracy, "seconds": 1.0,
        "sustained_accuracy": accuracy, "train_accuracy": accuracy, "gap": 0.0, "held": accuracy >= 0.99,
        "core_seconds": 1.0, **changes,
    }  # fmt: skip


def verify(store: Store, runs: list[dict[str, Any]], keeps: bool = True, dataset: str = "digits") -> None:
    """A finished verification of these runs."""
    record = Verification(CANDIDATE.id, "mine", dataset, precision="float32", torch="2.15.0")
    number = begin_verification(store.engine, record)
    for run in runs:
        add_verification_run(store.engine, run, network_of(run["seed_number"]) if keeps else None)
    end_verification(store.engine, number, 1.0, 1.0, {"n_seeds": len(runs), "target": 0.99, "sustain": 3, "epochs": 3})


def test_the_median_seed_is_shipped_and_not_the_luckiest(store: Store) -> None:
    verify(store, [run_of(number, accuracy) for number, accuracy in SEEDS.items()])
    chosen = choose_network("mine.yaml", NAMED, store, None)
    assert seed_of(chosen.weights) == 4, "of an even number the lower one in the middle"
    assert (chosen.source["seed_number"], chosen.source["seed"], chosen.source["n_seeds"]) == (4, 1004, 4)
    assert (chosen.source["kind"], chosen.source["chosen_as"]) == ("verification", "the median of them")
    assert (chosen.dataset, chosen.split) == ("digits", "test")
    assert chosen.verified is not None
    assert chosen.verified.summary["n_held"] == 4


def test_a_seed_may_be_asked_for(store: Store) -> None:
    verify(store, [run_of(number, accuracy) for number, accuracy in SEEDS.items()])
    chosen = choose_network("mine.yaml", NAMED, store, 2)
    assert seed_of(chosen.weights) == 2
    assert chosen.source["chosen_as"] == "asked for by --seed"
    with pytest.raises(MnistSearchError, match="--seed 9: the verification has seeds 1 to 4"):
        choose_network("mine.yaml", NAMED, store, 9)


def test_the_median_counts_seeds_that_diverged(store: Store) -> None:
    runs = [run_of(1, 0.99), run_of(2, 0.0, diverged=2), run_of(3, 0.0, diverged=2)]
    verify(store, runs)
    with pytest.raises(
        MnistSearchError, match="seed 3 of mine diverged and left no network: choose another with --seed"
    ):
        choose_network("mine", NAMED, store, None)
    assert seed_of(choose_network("mine", NAMED, store, 1).weights) == 1


@pytest.mark.parametrize(("n", "median"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)])
def test_the_median_of_runs(n: int, median: int) -> None:
    runs = [run_of(number, 0.98 + number / 1000) for number in range(1, n + 1)]
    assert median_run(list(reversed(runs)), 3)["seed_number"] == median


def test_seeds_of_an_older_version_say_how_to_train_them_again(store: Store) -> None:
    verify(store, [run_of(1, 0.99)], keeps=False)
    with pytest.raises(MnistSearchError) as caught:
        choose_network("mine.yaml", NAMED, store, None)
    assert str(caught.value) == (
        "of seed 1 of mine.yaml no network was kept, as older versions did: `mnist-search train mine.yaml --epochs 3 "
        "--seed 1001 --dataset digits --precision float32 --out DIR` trains that seed again, as one training"
    )


def test_a_damaged_network_says_so(store: Store) -> None:
    verify(store, [run_of(1, 0.99)], keeps=False)
    [run] = verification_runs_of(store.engine, CANDIDATE.id)
    with store.engine.begin() as connection:
        connection.execute(insert(VerificationWeightsRow).values(run_id=run["run_id"], weights=b"cut off"))
    with pytest.raises(MnistSearchError, match=r"^the network of seed 1 is damaged: `mnist-search train mine "):
        choose_network("mine", NAMED, store, None)


def test_the_last_verification_counts_and_unfinished_ones_do_not(store: Store) -> None:
    verify(store, [run_of(1, 0.991)])
    begin_verification(store.engine, Verification(CANDIDATE.id, "mine", "digits"))
    assert seed_of(choose_network("mine", NAMED, store, None).weights) == 1
    verify(store, [run_of(1, 0.991), run_of(2, 0.985), run_of(3, 0.999)])
    assert seed_of(choose_network("mine", NAMED, store, None).weights) == 1
    assert choose_network("mine", NAMED, store, None).source["n_seeds"] == 3


def test_a_verification_over_another_length_is_found(store: Store) -> None:
    verify(store, [run_of(1, 0.991)])
    longer = Named("mine", CANDIDATE.with_epochs(9))
    chosen = choose_network("mine", longer, store, None)
    assert (chosen.candidate.id, chosen.source["epochs"]) == (CANDIDATE.id, 3)


def test_of_two_datasets_one_must_be_named(store: Store) -> None:
    verify(store, [run_of(1, 0.991)])
    verify(store, [run_of(2, 0.992, dataset="mnist")], dataset="mnist")
    with pytest.raises(MnistSearchError, match="mine was verified on digits and on mnist: name one of them with"):
        choose_network("mine", NAMED, store, None)
    assert seed_of(choose_network("mine", NAMED, store, None, "digits").weights) == 1
    assert choose_network("mine", NAMED, store, None, "mnist").dataset == "mnist"


def test_what_nobody_trained_says_what_would(store: Store) -> None:
    for there in (store, None):
        with pytest.raises(MnistSearchError) as caught:
            choose_network("a-step5", replace(NAMED, label="a-step5"), there, None)
        assert str(caught.value) == (
            "a-step5 has no trained network here: `mnist-search verify a-step5` trains and proves it, "
            "`mnist-search train a-step5 --out DIR` trains it once"
        )
    with pytest.raises(MnistSearchError, match="--seed 2: mine is not verified, which is what trains seeds"):
        choose_network("mine", NAMED, store, 2)


def test_a_trial_s_verification_is_that_of_its_study(own_folder: Path) -> None:
    study = made_study(own_folder, 2)
    add_verification(study, 0, [0.993, 0.991, 0.992, 0.994, 0.995])
    trial = study.trial(0)
    named = Named("trial 0", CANDIDATE, study, trial)
    with pytest.raises(MnistSearchError, match="of seed 1 of 0 no network was kept"):
        choose_network("0", named, study.store, None)  # its made-up seeds have no networks; the first is the median
    with pytest.raises(MnistSearchError, match="trial 1 has no weights"):
        choose_network("1", Named("trial 1", CANDIDATE, study, study.trial(1)), study.store, None)
