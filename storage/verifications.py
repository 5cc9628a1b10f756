"""Verifications: which there were, and the training of each seed."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.damage import damage_told, mapping, number, text, whole
from storage.study_tokens import is_of_study, study_token
from storage.tables import LABEL_LENGTH, VerificationRow, VerificationRunRow, VerificationWeightsRow


@dataclass(frozen=True)
class Verification:
    """One use of `verify` on one candidate, as it was kept. `summary` is None while it is not finished."""

    candidate_id: str
    label: str
    dataset: str
    study_id: int | None = None
    """The study that found the candidate, and the trial's number in it."""
    trial: int | None = None
    n_compared: int = 1
    """Candidates among which this one was chosen."""
    study_seconds: float | None = None
    """What the study had cost when the verification began."""
    study_core_seconds: float | None = None
    seconds: float = 0.0
    core_seconds: float = 0.0
    """Processor time of the trainings of this use, its race included."""
    precision: str | None = None
    """The number format of its trainings, and the release of torch; None where nobody said."""
    torch: str | None = None
    summary: dict[str, Any] | None = None


def release(version: str) -> str:
    """A version of torch without what it was built for: `2.15.0` of `2.15.0+cu130`. Builds of one release are alike."""
    return version.partition("+")[0]


def begin_verification(engine: Engine, verification: Verification) -> int:
    """Keeps that a verification has begun; returns its number."""
    kept = {**vars(verification), "label": verification.label[:LABEL_LENGTH]}
    row = VerificationRow(began_at=time.time(), **kept)
    with Session(engine) as session, session.begin():
        if verification.study_id is not None:
            row.study_token = study_token(session.connection(), verification.study_id)
        session.add(row)
        session.flush()
        return row.verification_id


def end_verification(
    engine: Engine, number: int, seconds: float, core_seconds: float, summary: Mapping[str, Any] | None
) -> None:
    """Keeps what a verification took, and what it came to; no summary if it was stopped before its end."""
    values: dict[str, Any] = {"seconds": seconds, "core_seconds": core_seconds}
    if summary is not None:
        values |= {"summary": dict(summary), "ended_at": time.time()}
    with Session(engine) as session, session.begin():
        session.execute(update(VerificationRow).where(VerificationRow.verification_id == number).values(**values))


def verifications_of(engine: Engine, study_id: int) -> list[Verification]:
    """The verifications of candidates that a study found, oldest first, the unfinished ones included."""
    query = select(VerificationRow).where(VerificationRow.study_id == study_id, is_of_study(VerificationRow))
    with damage_told("a verification"), Session(engine) as session:
        rows = session.scalars(query.order_by(VerificationRow.verification_id))
        return [_verification(row) for row in rows]


def n_finished_verifications(engine: Engine, study_id: int) -> int:
    """How many verifications of a study's candidates have come to their end."""
    row = VerificationRow
    query = select(func.count()).where(row.study_id == study_id, is_of_study(row), row.ended_at.is_not(None))
    with Session(engine) as session:
        return session.scalars(query).one()


def all_verifications(engine: Engine) -> list[Verification]:
    """All verifications, whatever found their candidates, oldest first, the unfinished ones included."""
    query = select(VerificationRow).where(VerificationRow.study_id.is_(None) | is_of_study(VerificationRow))
    with damage_told("a verification"), Session(engine) as session:
        rows = session.scalars(query.order_by(VerificationRow.verification_id))
        return [_verification(row) for row in rows]


def _verification(row: VerificationRow) -> Verification:
    values = {name: getattr(row, name) for name in _FIELDS}
    for name, value in values.items():
        if value is not None or name not in _MAY_BE_MISSING:
            _READ[name](value)
    return Verification(**values)


_FIELDS = tuple(Verification.__dataclass_fields__)
_MAY_BE_MISSING = {"study_id", "trial", "study_seconds", "study_core_seconds", "precision", "torch", "summary"}
_READ: dict[str, Callable[[object], object]] = {
    **dict.fromkeys(("candidate_id", "label", "dataset", "precision", "torch"), text),
    **dict.fromkeys(("study_id", "trial", "n_compared"), whole),
    **dict.fromkeys(("study_seconds", "study_core_seconds", "seconds", "core_seconds"), number),
    "summary": mapping,
}


def add_verification_run(engine: Engine, facts: Mapping[str, Any], weights: bytes | None = None) -> None:
    """Keeps the training of one seed; if another process was quicker with the same one, that one stays.

    `facts` holds at least candidate, dataset, split and seed, precision and torch where they are known, and must be
    JSON-able. `weights` are the trained network's state dict by torch.save, None to keep none.
    """
    row = VerificationRunRow(
        candidate_id=facts["candidate"],
        dataset=facts["dataset"],
        split=facts["split"],
        seed=facts["seed"],
        precision=facts.get("precision", ""),
        torch=release(facts.get("torch", "")),
        ended_at=time.time(),
        facts=dict(facts),
    )
    try:
        with Session(engine) as session, session.begin():
            session.add(row)
            if weights is not None:
                session.flush()
                session.add(VerificationWeightsRow(run_id=row.run_id, weights=weights))
    except IntegrityError:
        return


def verification_runs_of(
    engine: Engine,
    candidate_id: str,
    dataset: str | None = None,
    split: str = "test",
    seeds: Iterable[int] | None = None,
    conditions: tuple[str, str] | None = None,
) -> list[dict[str, Any]]:
    """The trainings of a candidate, in the order they were kept, each as its facts and `run_id`; None stands for all.

    `conditions` are a number format and a version of torch, of which the release counts.
    """
    row = VerificationRunRow
    query = select(row).where(row.candidate_id == candidate_id, row.split == split)
    if dataset is not None:
        query = query.where(row.dataset == dataset)
    if seeds is not None:
        query = query.where(row.seed.in_(list(seeds)))
    if conditions is not None:
        query = query.where(row.precision == conditions[0], row.torch == release(conditions[1]))
    with damage_told("a verification"), Session(engine) as session:
        return [
            {**mapping(found.facts), "precision": found.precision, "run_id": found.run_id}
            for found in session.scalars(query.order_by(row.run_id))
        ]


def verification_weights(engine: Engine, run_id: int) -> bytes | None:
    """The network that a run trained, a state dict by torch.save; None if it diverged, or nobody kept it then."""
    with Session(engine) as session:
        found = session.get(VerificationWeightsRow, run_id)
        return None if found is None else found.weights
