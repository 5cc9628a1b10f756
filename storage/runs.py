"""Trainings outside a study: what `train` came to."""

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from storage.damage import damage_told, mapping
from storage.tables import LABEL_LENGTH, TrainingRunRow


def add_run(engine: Engine, label: str, facts: Mapping[str, Any], ended_at: float | None = None) -> None:
    """Keeps a training; `facts` holds at least candidate, dataset, split and seed, and must be JSON-able.

    One that ended at a given time, in seconds since 1970, is kept once, however often it is tried: a connection may be
    lost when all was kept. Now is when it ended unless that is given.
    """
    row = TrainingRunRow(
        candidate_id=facts["candidate"],
        label=label[:LABEL_LENGTH],
        dataset=facts["dataset"],
        split=facts["split"],
        seed=facts["seed"],
        ended_at=time.time() if ended_at is None else ended_at,
        facts=dict(facts),
    )
    same = (TrainingRunRow.candidate_id == row.candidate_id, TrainingRunRow.seed == row.seed)
    is_kept = select(TrainingRunRow.run_id).where(*same, TrainingRunRow.ended_at == row.ended_at)
    with Session(engine) as session, session.begin():
        if session.scalars(is_kept).first() is None:
            session.add(row)


def runs_of(engine: Engine, candidate_id: str) -> list[dict[str, Any]]:
    """The trainings of a candidate, oldest first, each as the facts it was kept with."""
    query = select(TrainingRunRow).where(TrainingRunRow.candidate_id == candidate_id).order_by(TrainingRunRow.run_id)
    with damage_told("a training by `train`"), Session(engine) as session:
        return [mapping(row.facts) for row in session.scalars(query)]
