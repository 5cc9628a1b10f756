"""Studies made up for tests of the report: no trial of theirs was trained."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from benchmarks._made_trials import made_epoch, write_trials
from search.space.space import Space
from search.study.outcomes import Outcome
from search.study.settings import StudySettings
from search.study.study import SearchStudy, candidate_of, create_study
from search.verification.summary import summarise
from storage.store import Store
from storage.verifications import Verification, add_verification_run, begin_verification, end_verification
from trainer.data.digits import load_digits

EPOCHS = 4
_N_UNLIKE = 150
"""Candidates that are drawn; a larger study has them again and again."""


def made_study(folder: Path, n_trials: int, name: str = "digits", **settings: Any) -> SearchStudy:
    """A study on the digits."""
    given: dict[str, Any] = {"dataset": "digits", "epochs": EPOCHS, "pruner": "median", "target": 0.99} | settings
    space = Space.of({}, 10_000)
    store = Store(f"sqlite:///{folder / 'mnist-search.db'}")
    study = create_study(store, name, StudySettings(**{"space": space.to_dict(), **given}))
    drawn = _drawn_trials(space, min(n_trials, _N_UNLIKE))
    rng = random.Random(1)
    write_trials(study, [_ended(drawn[n % len(drawn)], rng, n, study.settings) for n in range(n_trials)])
    return study


def _drawn_trials(space: Space, n: int) -> list[tuple[optuna.Trial, Any]]:
    """`n` candidates, the first of them one that passes the gate: a study of one trial has it trained."""
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    drawn: list[tuple[optuna.Trial, Any]] = []
    while len(drawn) < n:
        trial = study.ask()
        candidate = space.sample(trial, EPOCHS)
        if drawn or candidate.arch.params < 10_000:
            drawn.append((trial, candidate))
    return drawn


def _ended(drawn: tuple[optuna.Trial, Any], rng: random.Random, number: int, settings: StudySettings) -> FrozenTrial:
    trial, candidate = drawn
    params = candidate.arch.params
    last = 0.97 + 0.025 * rng.random() * min(1, params / 9_000) if number else 0.985
    accuracies = {epoch: last - 0.01 * (settings.epochs - epoch) for epoch in range(1, settings.epochs + 1)}
    attrs = {"candidate": candidate.to_dict(), "candidate_id": candidate.id, "params": params, "macs": 1}
    attrs |= {
        "seconds": 9.0,
        "active_seconds": 10.0 * number,
        "training_seed": number,
        "trained_on": "paper",
    }
    if params >= settings.max_params:
        outcome, state, value, accuracies = Outcome.REJECTED, TrialState.PRUNED, None, {}
    elif number % 3 == 2:
        outcome, state, value, accuracies = Outcome.PRUNED, TrialState.PRUNED, None, dict(list(accuracies.items())[:2])
    else:
        outcome, state, value = Outcome.TRAINED, TrialState.COMPLETE, last
        attrs |= {"best_accuracy": last, "held": last >= settings.target}
    made = create_trial(
        state=state, value=value, params=trial.params, distributions=trial.distributions,
        user_attrs={**attrs, "outcome": outcome}, intermediate_values=accuracies,
    )  # fmt: skip
    made.number = number
    made.datetime_start = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(seconds=10 * number)
    made.datetime_complete = made.datetime_start + timedelta(seconds=9 if accuracies else 0)
    return made


def add_verification(study: SearchStudy, number: int, accuracies: list[float], labels: list[int] | None = None) -> None:
    """A verification of a trial, a seed for each accuracy; each misreads a few images, some of them all seeds do."""
    candidate, engine = candidate_of(study.trial(number)), study.store.engine
    settings = study.settings
    record = Verification(
        *(candidate.id, f"trial {number}", settings.dataset, study.study_id, number), n_compared=7,
        precision="float32", torch="2.15.0",
    )  # fmt: skip
    labels = load_digits().test.labels.tolist() if labels is None else labels
    kept = begin_verification(engine, record)
    runs = [_run(settings, i, accuracy, labels) for i, accuracy in enumerate(accuracies, 1)]
    for run in runs:
        add_verification_run(engine, {**run, "candidate": candidate.id})
    end_verification(engine, kept, 60.0, 50.0, summarise(runs, settings.target, settings.sustain))


def _run(settings: StudySettings, i: int, accuracy: float, labels: list[int]) -> dict[str, Any]:
    rng = random.Random(i)
    curves = [made_epoch(n, accuracy - 0.002 * max(0, settings.epochs - settings.sustain + 1 - n) * (1 + rng.random()))
              for n in range(1, settings.epochs + 1)]  # fmt: skip
    answers = list(labels)
    for image in (3, 14, 20 + i):
        answers[image] = (answers[image] + 1) % 10
    return {
        "dataset": settings.dataset, "split": "test", "seed": 1000 + i, "seed_number": i, "diverged": None,
        "torch": "2.15.0+cpu", "precision": "float32", "trained_on": "paper", "epochs": settings.epochs,
        "target": settings.target, "sustain": settings.sustain, "sustained_accuracy": accuracy,
        "best_accuracy": accuracy, "gap": -0.002, "train_accuracy": accuracy - 0.002,
        "held": accuracy >= settings.target, "seconds": 9.0, "core_seconds": 8.0,
        "curves": curves, "predictions": "".join(map(str, answers)),
    }  # fmt: skip
