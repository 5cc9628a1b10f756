"""Version 4: a verification belongs to a study, not to a name, and its seeds were trained alike.

A study that was deleted and begun again under its name had inherited the verifications of the old one, and seeds
trained in unlike number formats, or by unlike releases of torch, had been averaged.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations

from storage.migrations.steps import (
    add_column,
    create_index,
    drop_index,
    has_column,
    has_foreign_key,
    optional_columns,
)

_studies = sa.table("studies", sa.column("study_id"), sa.column("study_name"))
_sessions = sa.table("run_sessions", sa.column("study_id"), sa.column("started_at"))
_verifications = sa.table(
    "verifications",
    *map(sa.column, ("verification_id", "candidate_id", "label", "dataset", "study_name", "study_id", "began_at")),
    *map(sa.column, ("ended_at", "precision", "torch")),
)
_runs = sa.table(
    "verification_runs",
    *map(sa.column, ("run_id", "candidate_id", "dataset", "split", "ended_at", "precision", "torch")),
    sa.column("facts", sa.JSON),
)
_TRAINING, _STUDY = "uq_verification_runs_training", "fk_verifications_study_id"
_LABEL_LENGTH = 255
_FORMAT = re.compile(r"\b(float32|bfloat16|float16)\b")
_TORCH = re.compile(r"\btorch (\d[^\s,+]*)")


def upgrade(op: Operations) -> None:
    """Adds the columns, fills them from what the rows say of themselves, then drops the name."""
    connection = op.get_bind()
    add_columns(op)
    if has_column(op, "verifications", "study_name"):  # the last to go: without it all this was done
        _fill_runs(connection)
        _fill_conditions(connection)
        _fill_studies(connection)
    tighten_runs(op)
    drop_name(op)


def add_columns(op: Operations) -> None:
    """What version 4 knows besides, empty."""
    add_column(op, "verifications", sa.Column("study_id", sa.Integer, nullable=True))
    for table in ("verifications", "verification_runs"):
        add_column(op, table, sa.Column("precision", sa.String(32), nullable=True))
        add_column(op, table, sa.Column("torch", sa.String(64), nullable=True))


def tighten_runs(op: Operations) -> None:
    """A seed may be trained again under other conditions, which are always said."""
    there = [found["name"] for found in sa.inspect(op.get_bind()).get_unique_constraints("verification_runs")]
    optional = optional_columns(op, "verification_runs")
    with op.batch_alter_table("verification_runs", naming_convention=_NAMES) as batch:
        for name in there:
            if name != _TRAINING:  # the database chose its name; SQLite gave it none
                batch.drop_constraint(name or "uq_verification_runs_candidate_id", type_="unique")
        for name, length in (("precision", 32), ("torch", 64)):
            if name in optional:
                batch.alter_column(name, existing_type=sa.String(length), nullable=False)
        if _TRAINING not in there:
            batch.create_unique_constraint(
                _TRAINING, ["candidate_id", "dataset", "split", "seed", "precision", "torch"]
            )


def drop_name(op: Operations) -> None:
    """The number of the study takes the place of its name."""
    drop_index(op, "verifications", "study_name")
    has_name = has_column(op, "verifications", "study_name")
    is_bound = has_foreign_key(op, "verifications", _STUDY)
    with op.batch_alter_table("verifications") as batch:
        if has_name:
            batch.drop_column("study_name")
        if not is_bound:
            batch.create_foreign_key(_STUDY, "studies", ["study_id"], ["study_id"], ondelete="CASCADE")
    create_index(op, "verifications", "study_id")


_NAMES = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
"""What alembic calls a constraint without a name when it copies an SQLite table."""


def _fill_runs(connection: sa.Connection) -> None:
    """Number format and release of torch of each training, from its facts; empty where they say neither."""
    for run_id, facts in connection.execute(sa.select(_runs.c.run_id, _runs.c.facts)).all():
        precision, torch = conditions_of(facts)
        row = sa.update(_runs).where(_runs.c.run_id == run_id)
        connection.execute(row.values(precision=precision, torch=torch))


def conditions_of(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Number format and release of torch of a training as version 3 kept it.

    `trained_on` is such as `cpu, bfloat16 (21.6 ms a step, float32 27.2, measured), fused kernels, torch 2.15.0+cu130,
    mnist-search 0.1.0`: the format that was used stands first.
    """
    line = str(facts.get("trained_on") or "")
    precision, torch = _FORMAT.search(line), _TORCH.search(line)
    version = str(facts.get("torch") or (torch[1] if torch else ""))
    return precision[1] if precision else "", version.partition("+")[0]


def _fill_conditions(connection: sa.Connection) -> None:
    """Of each verification those of its trainings: the most frequent, if there were several, of equals the latest."""
    v = _verifications.c
    found = connection.execute(sa.select(v.verification_id, v.candidate_id, v.dataset, v.ended_at)).all()
    for number, candidate_id, dataset, ended_at in found:
        r = _runs.c
        query = sa.select(r.precision, r.torch).where(r.candidate_id == candidate_id, r.dataset == dataset)
        query = query.where(r.split == "test").order_by(r.run_id.desc())
        if ended_at is not None:
            query = query.where(r.ended_at <= ended_at)
        counted = Counter((precision, torch) for precision, torch in connection.execute(query))
        if counted:
            [((precision, torch), _)] = counted.most_common(1)
            row = sa.update(_verifications).where(v.verification_id == number)
            connection.execute(row.values(precision=precision, torch=torch))


def _fill_studies(connection: sa.Connection) -> None:
    """The study of each verification; where it was deleted since, the label says so."""
    v, study_ids = _verifications.c, _study_ids(connection)
    found = connection.execute(sa.select(v.verification_id, v.label, v.study_name, v.began_at)).all()
    for number, label, name, began_at in found:
        if name is None:
            continue
        study_id, first_run_at = study_ids.get(name, (None, None))
        if study_id is not None and (first_run_at is None or began_at >= first_run_at):
            values: dict[str, Any] = {"study_id": study_id}
        else:
            told = f" of study {name}, since deleted"
            values = {"label": f"{label.removesuffix(told)}{told}"[:_LABEL_LENGTH]}
        connection.execute(sa.update(_verifications).where(v.verification_id == number).values(**values))


def _study_ids(connection: sa.Connection) -> dict[str, tuple[int, float | None]]:
    """The number of each study, and when it was first worked on, by its name."""
    query = sa.select(_studies.c.study_name, _studies.c.study_id, sa.func.min(_sessions.c.started_at))
    query = query.outerjoin(_sessions, _sessions.c.study_id == _studies.c.study_id)
    query = query.group_by(_studies.c.study_name, _studies.c.study_id)
    return {name: (study_id, first) for name, study_id, first in connection.execute(query)}
