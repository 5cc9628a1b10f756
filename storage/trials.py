"""Reads trials from Optuna's tables, with one query a table.

Optuna's own reader makes an object of every row and parses every distribution: six seconds for 5,000 trials of 28
parameters, where this takes less than one. A test holds the two to the same trials.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, DateTime, Engine, Select, String, TableClause, cast, column, or_, select, table

from storage.damage import damage_told, number, text, whole

_TRIALS = table(
    "trials",
    *(column(name) for name in ("trial_id", "study_id", "number", "state")),
    column("datetime_start", DateTime),
    column("datetime_complete", DateTime),
)
_PARAMS = table(
    "trial_params", *map(column, ("trial_id", "param_id", "param_name", "param_value", "distribution_json"))
)
_VALUES = table("trial_values", *map(column, ("trial_id", "objective", "value", "value_type")))
_REPORTS = table(
    "trial_intermediate_values",
    *map(column, ("trial_id", "step", "intermediate_value", "intermediate_value_type")),
)
_USER_ATTRS = table("trial_user_attributes", *map(column, ("trial_id", "key", "value_json")))
_SYSTEM_ATTRS = table("trial_system_attributes", *map(column, ("trial_id", "key", "value_json")))

Rows = list[tuple[Any, ...]]

_NOT_FINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}


def read_trials(engine: Engine, study_id: int, state: TrialState | None = None) -> list[FrozenTrial]:
    """The trials of a study, or those of a state, in the order of their numbers, as `Study.get_trials` gives them."""
    query = select(_TRIALS).where(_TRIALS.c.study_id == study_id)
    if state is not None:
        query = query.where(cast(_TRIALS.c.state, String) == state.name)  # PostgreSQL has a type of its own for it
    return _read(engine, query.order_by(_TRIALS.c.number))


def read_changed(engine: Engine, study_id: int, numbers: Sequence[int], n_known: int) -> list[FrozenTrial]:
    """The trials of these numbers, and those from the number `n_known` on, in the order of their numbers."""
    t = _TRIALS.c
    wanted = or_(t.number >= n_known, t.number.in_(numbers))
    return _read(engine, select(_TRIALS).where(t.study_id == study_id, wanted).order_by(t.number))


def read_trial(engine: Engine, study_id: int, number: int) -> FrozenTrial | None:
    """The trial of this number; None if there is none."""
    found = _read(engine, select(_TRIALS).where(_TRIALS.c.study_id == study_id, _TRIALS.c.number == number))
    return found[0] if found else None


def n_trials(engine: Engine, study_id: int) -> int:
    """How many trials a study has, whatever their state."""
    newest = select(_TRIALS.c.number).where(_TRIALS.c.study_id == study_id).order_by(_TRIALS.c.number.desc()).limit(1)
    with engine.connect() as connection:
        number = connection.scalar(newest)
    with damage_told("the list of trials"):
        return 0 if number is None else int(number) + 1


def trial_number(engine: Engine, trial_id: int) -> int:
    """The number in its study of a trial that is there: Optuna would read the whole trial for it."""
    with engine.connect() as connection:
        return int(connection.scalars(select(_TRIALS.c.number).where(_TRIALS.c.trial_id == trial_id)).one())


def place_of_trial(engine: Engine, trial_id: int) -> tuple[int, int]:
    """The study that a trial is of, and its number there. Raises KeyError if there is no such trial."""
    with engine.connect() as connection:
        query = select(_TRIALS.c.study_id, _TRIALS.c.number).where(_TRIALS.c.trial_id == trial_id)
        found = connection.execute(query).one_or_none()
    if found is None:
        raise KeyError(trial_id)
    return int(found[0]), int(found[1])


def _read(engine: Engine, which: Select[Any]) -> list[FrozenTrial]:
    with damage_told("the list of trials"), engine.connect() as connection:
        # First the trials: one that ends meanwhile is then still running here, and never ended without its outcome.
        trials = connection.execute(which).all()
        params = _by_trial(connection, which, _PARAMS, "param_id")
        values = _by_trial(connection, which, _VALUES, "objective")
        reports = _by_trial(connection, which, _REPORTS, "step")
        user_attrs = _by_trial(connection, which, _USER_ATTRS, "key")
        system_attrs = _by_trial(connection, which, _SYSTEM_ATTRS, "key")
    distribution = cache(json_to_distribution)  # a study has as many as it has ranges
    found = []
    for trial in trials:
        key = trial.trial_id
        rows = (params[key], values[key], reports[key], user_attrs[key], system_attrs[key])
        with damage_told(f"trial {trial.number}"):
            found.append(_trial(trial, *rows, distribution))
    return found


def _trial(
    row: Any, params: Rows, values: Rows, reports: Rows, user_attrs: Rows, system_attrs: Rows,
    distribution: Callable[[str], BaseDistribution],
) -> FrozenTrial:  # fmt: skip
    return FrozenTrial(
        number=whole(row.number),
        trial_id=whole(row.trial_id),
        state=TrialState[row.state],
        value=None,
        values=[_number(value, kind) for _, value, kind in values] or None,
        datetime_start=_local(row.datetime_start),
        datetime_complete=_local(row.datetime_complete),
        **_suggested((text(name), value, distribution(said)) for _, name, value, said in params),
        user_attrs={text(key): json.loads(value) for key, value in user_attrs},
        system_attrs={text(key): json.loads(value) for key, value in system_attrs},
        intermediate_values={whole(step): _number(value, kind) for step, value, kind in reports},
    )


def _by_trial(
    connection: Connection, which: Select[Any], rows: TableClause, order: str
) -> dict[int, list[tuple[Any, ...]]]:
    """The rows of the wanted trials, by trial and in order; without their first column, the trial."""
    trials = which.order_by(None).subquery()
    query = select(rows).join(trials, trials.c.trial_id == rows.c.trial_id).order_by(rows.c[order])
    found = defaultdict[int, list[tuple[Any, ...]]](list)
    for trial_id, *row in connection.execute(query):
        found[trial_id].append(tuple(row))
    return found


def _suggested(params: Iterable[tuple[str, float, BaseDistribution]]) -> dict[str, dict[str, Any]]:
    """The values that were suggested, and the distributions they come from."""
    values, distributions = {}, {}
    for name, value, distribution in params:
        values[name], distributions[name] = distribution.to_external_repr(value), distribution
    return {"params": values, "distributions": distributions}


def _local(time: datetime | None) -> datetime | None:
    """A time as Optuna gives it: of this machine's zone, without naming it. The database has UTC."""
    return None if time is None else time.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def _number(value: float | None, kind: str) -> float:
    """A number as it was reported: what is not finite has a NULL in the database, and a word for it."""
    return _NOT_FINITE[kind] if value is None else number(value)
