"""Which trained network a name stands for: a seed of its verification, or what the search kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from models.candidate import Candidate
from models.errors import MnistSearchError
from search.study import attributes
from search.study.naming import Named
from search.study.study import SearchStudy
from search.study.weights import load_weights, state_dict_of
from search.verification.judged import all_records, judged_verifications, median_run, runs_of, summary_of
from storage.store import Store
from storage.verifications import Verification, verification_weights

ASKED_FOR = "asked for by --seed"


@dataclass(frozen=True, eq=False)
class Chosen:
    """A trained network, and where it comes from."""

    label: str
    candidate: Candidate
    weights: dict[str, torch.Tensor]
    dataset: str
    split: str
    source: dict[str, Any]
    """As the manifest of its bundle has it."""
    verified: "Verified | None"


@dataclass(frozen=True, eq=False)
class Verified:
    """A finished verification, its seeds, and what they come to."""

    record: Verification
    runs: list[dict[str, Any]]
    summary: dict[str, Any]


def choose_network(
    what: str, named: Named, store: Store | None, seed_number: int | None, dataset: str | None = None
) -> Chosen:
    """The network of what a user calls `what`: of the median seed of its last verification, or of this seed's number.

    One that was never verified has the network that the search trained. `store` is where verifications are, None if
    there is none yet; `dataset` is that of the verification, None if there is one only. Raises MnistSearchError if
    there is no network.
    """
    verified = None if store is None else _last_verification(what, named, store, dataset)
    if store is not None and verified is not None:
        return _of_seed(what, named, store, verified, seed_number)
    if seed_number is not None:
        raise MnistSearchError(
            f"--seed {seed_number}: {named.label} is not verified, which is what trains seeds; leave it out, or "
            f"`mnist-search verify {what}` first"
        )
    if named.study is None or named.trial is None:
        raise MnistSearchError(
            f"{named.label} has no trained network here: `mnist-search verify {what}` trains and proves it, "
            f"`mnist-search train {what} --out DIR` trains it once"
        )
    return _of_trial(named, named.study)


def _last_verification(what: str, named: Named, store: Store, dataset: str | None) -> Verified | None:
    if named.study is not None and named.trial is not None:
        of_study = [one for one in judged_verifications(named.study) if one.trial.number == named.trial.number]
        return Verified(of_study[-1].record, of_study[-1].runs, of_study[-1].summary) if of_study else None
    found = [record for record in all_records(store.engine) if _is_of(record, named.candidate)]
    datasets = list(dict.fromkeys(record.dataset for record in found))
    if dataset is None and len(datasets) > 1:
        raise MnistSearchError(f"{what} was verified on {' and on '.join(datasets)}: name one of them with --dataset")
    for record in reversed([record for record in found if dataset in (None, record.dataset)]):
        runs = runs_of(store.engine, record)
        if runs:
            return Verified(record, runs, summary_of(record, runs))
    return None


def _is_of(record: Verification, candidate: Candidate) -> bool:
    """Whether a finished verification is of this candidate, trained for however long."""
    return record.summary is not None and record.candidate_id == candidate.with_epochs(record.summary["epochs"]).id


def _of_seed(what: str, named: Named, store: Store, verified: Verified, seed_number: int | None) -> Chosen:
    candidate = named.candidate.with_epochs(verified.summary["epochs"] or named.candidate.recipe.epochs)
    run = _run(verified, seed_number)
    why = "the median of them" if seed_number is None else ASKED_FOR
    source = {
        "kind": "verification",
        "trial": verified.record.trial,
        "seed": run["seed"],
        "seed_number": run["seed_number"],
        "n_seeds": len(verified.runs),
        "chosen_as": why,
        "trained_on": run.get("trained_on"),
        "precision": run.get("precision"),
        "epochs": candidate.recipe.epochs,
        "split": "test",
    }
    weights = _weights_of(what, named, store, candidate, run)
    return Chosen(named.label, candidate, weights, verified.record.dataset, "test", source, verified)


def _run(verified: Verified, seed_number: int | None) -> dict[str, Any]:
    if seed_number is None:
        return median_run(verified.runs, verified.summary["sustain"])
    for run in verified.runs:
        if run["seed_number"] == seed_number:
            return run
    raise MnistSearchError(f"--seed {seed_number}: the verification has seeds 1 to {len(verified.runs)}")


def _weights_of(
    what: str, named: Named, store: Store, candidate: Candidate, run: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    if run["diverged"]:
        raise MnistSearchError(
            f"seed {run['seed_number']} of {what} diverged and left no network: choose another with --seed"
        )
    kept = verification_weights(store.engine, run["run_id"])
    options = {
        "epochs": candidate.recipe.epochs, "seed": run["seed"], "dataset": run["dataset"],
        "precision": run["precision"] or None, "study": named.study.name if named.study else None, "out": "DIR",
    }  # fmt: skip
    words = [text for name, value in options.items() if value is not None for text in (f"--{name}", str(value))]
    again = f"`{' '.join(['mnist-search', 'train', what, *words])}` trains that seed again, as one training"
    if kept is None:
        raise MnistSearchError(
            f"of seed {run['seed_number']} of {what} no network was kept, as older versions did: {again}"
        )
    try:
        return state_dict_of(kept, candidate.arch)
    except ValueError:
        raise MnistSearchError(f"the network of seed {run['seed_number']} is damaged: {again}") from None


def _of_trial(named: Named, study: SearchStudy) -> Chosen:
    assert named.trial is not None
    weights = load_weights(study, named.trial)
    attrs = named.trial.user_attrs
    source = {
        "kind": "trial",
        "trial": named.trial.number,
        "seed": attrs.get(attributes.TRAINING_SEED),
        "trained_on": attrs.get(attributes.TRAINED_ON),
        "epochs": named.candidate.recipe.epochs,
        "split": study.settings.split,
    }
    settings = study.settings
    return Chosen(named.label, named.candidate, weights, settings.dataset, settings.split, source, None)
