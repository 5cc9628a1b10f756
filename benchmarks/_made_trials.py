"""Trials made up in thousands: nothing of them was trained, and no optimiser drew them."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import MetaData, func, insert, select

from models.candidate import Candidate
from search.dispatch.gate import excess_params
from search.study import attributes
from search.study.outcomes import Outcome
from search.study.settings import StudySettings
from search.study.study import SearchStudy
from storage.study_tokens import study_token
from storage.tables import EpochRow

_BEGAN = datetime(2026, 1, 1)
_SECONDS_EACH = 10.0
_N_UNLIKE = 1000
"""Candidates that are drawn; a larger study has them again and again."""


def add_made_trials(study: SearchStudy, n: int) -> None:
    """Adds n ended trials to a study that has none, in one transaction: rejected, pruned and trained ones."""
    drawn = [_draw(study) for _ in range(min(n, _N_UNLIKE))]
    rng = random.Random(1)
    made = [_ended(study.settings, rng, number, *drawn[number % len(drawn)]) for number in range(n)]
    write_trials(study, made)


def _draw(study: SearchStudy) -> tuple[FrozenTrial, Candidate]:
    trial = _drawing().ask()
    candidate = study.space.sample(trial, study.settings.epochs)
    return _drawing().get_trials(deepcopy=False)[trial.number], candidate


@cache
def _drawing() -> optuna.Study:
    return optuna.create_study(sampler=RandomSampler(seed=0))


def _ended(
    settings: StudySettings, rng: random.Random, number: int, drawn: FrozenTrial, candidate: Candidate
) -> FrozenTrial:
    outcome = _outcome(settings, number, candidate)
    sustained = 0.97 + 0.02 * rng.random()
    n_epochs = {Outcome.REJECTED: 0, Outcome.PRUNED: min(3, settings.epochs), Outcome.TRAINED: settings.epochs}[outcome]
    reports = {epoch: sustained - 0.01 * (settings.epochs - epoch) for epoch in range(1, n_epochs + 1)}
    made = create_trial(
        state=TrialState.COMPLETE if outcome is Outcome.TRAINED else TrialState.PRUNED,
        value=reports[n_epochs] if n_epochs else None,
        params=drawn.params,
        distributions=drawn.distributions,
        user_attrs=_attributes(settings, number, candidate, outcome, sustained),
        system_attrs=_constraints(settings, candidate),
        intermediate_values=reports,
    )
    made.number = number
    made.datetime_start = _BEGAN + timedelta(seconds=_SECONDS_EACH * number)
    made.datetime_complete = made.datetime_start + timedelta(seconds=0.9 * _SECONDS_EACH if n_epochs else 0)
    return made


def _outcome(settings: StudySettings, number: int, candidate: Candidate) -> Outcome:
    if candidate.arch.params >= settings.max_params:
        return Outcome.REJECTED
    return Outcome.PRUNED if number % 3 else Outcome.TRAINED


def _attributes(
    settings: StudySettings, number: int, candidate: Candidate, outcome: Outcome, sustained: float
) -> dict[str, Any]:
    made = {
        attributes.CANDIDATE: candidate.to_dict(),
        attributes.CANDIDATE_ID: candidate.id,
        attributes.PARAMS: candidate.arch.params,
        attributes.MACS: candidate.arch.macs,
        attributes.OUTCOME: outcome,
    }
    if outcome is Outcome.REJECTED:
        return made | {attributes.REASON: "over the budget"}
    made |= {attributes.SECONDS: 9.0, attributes.TRAINED_ON: "paper", attributes.TRAINING_SEED: number}
    if outcome is Outcome.TRAINED:
        active = _SECONDS_EACH * number
        made |= {attributes.BEST_ACCURACY: sustained, attributes.HELD: sustained >= settings.target}
        made |= {attributes.ACTIVE_SECONDS: active, attributes.ACTIVE_CORE_SECONDS: active}
    return made


def _constraints(settings: StudySettings, candidate: Candidate) -> dict[str, Any]:
    excess = excess_params(candidate.arch.params, settings.max_params)
    return {"constraints:params": excess, attributes.CONSTRAINTS: [float(excess)]}


def write_trials(study: SearchStudy, trials: Sequence[FrozenTrial]) -> None:
    """Writes ended trials, with an epoch record for each report, into a study that has none.

    The rows are those that Optuna writes, but all at once: trial by trial 5,000 of them take minutes.
    """
    metadata = MetaData()
    metadata.reflect(study.store.engine)
    rows: dict[str, list[dict[str, Any]]] = {}
    for trial in trials:
        for name, row in _rows(study.study_id, trial):
            rows.setdefault(name, []).append(row)
    with study.store.engine.begin() as connection:
        token = study_token(connection, study.study_id)
        n_before = connection.scalar(select(func.max(metadata.tables["trials"].c.trial_id))) or 0
        for name, of_table in rows.items():
            marked = {"study_token": token} if name == EpochRow.__tablename__ else {}
            numbered = [{**row, **marked, "trial_id": row["trial_id"] + n_before} for row in of_table]
            connection.execute(insert(metadata.tables[name]), numbered)
    study.refresh()


def _rows(study_id: int, trial: FrozenTrial) -> Iterator[tuple[str, dict[str, Any]]]:
    of = {"trial_id": trial.number + 1}
    yield "trials", of | {
        "study_id": study_id, "number": trial.number, "state": trial.state.name,
        "datetime_start": trial.datetime_start, "datetime_complete": trial.datetime_complete,
    }  # fmt: skip
    for name, distribution in trial.distributions.items():
        value = distribution.to_internal_repr(trial.params[name])
        yield "trial_params", of | {
            "param_name": name, "param_value": value, "distribution_json": _json(distribution),
        }  # fmt: skip
    if trial.value is not None:
        yield "trial_values", of | {"objective": 0, "value": trial.value, "value_type": "FINITE"}
    for key, value in trial.user_attrs.items():
        yield "trial_user_attributes", of | {"key": key, "value_json": json.dumps(value)}
    for key, value in trial.system_attrs.items():
        yield "trial_system_attributes", of | {"key": key, "value_json": json.dumps(value)}
    for epoch, accuracy in trial.intermediate_values.items():
        yield "trial_intermediate_values", of | {
            "step": epoch, "intermediate_value": accuracy, "intermediate_value_type": "FINITE",
        }  # fmt: skip
        yield EpochRow.__tablename__, of | {"number": trial.number} | made_epoch(epoch, accuracy)


@cache
def _json(distribution: BaseDistribution) -> str:
    return distribution_to_json(distribution)


def made_epoch(epoch: int, accuracy: float) -> dict[str, Any]:
    """An epoch record that goes with an accuracy."""
    return {
        "epoch": epoch, "train_loss": 0.5 / epoch, "train_accuracy": accuracy - 0.002, "eval_loss": 0.3 / epoch,
        "eval_accuracy": accuracy, "lr": 0.1 / epoch, "seconds": 2.0, "core_seconds": 1.9,
    }  # fmt: skip
