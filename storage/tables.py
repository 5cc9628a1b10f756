"""Our tables, beside Optuna's in the same database.

Whoever changes one writes a migration too (`storage/migrations`): a new database is made from this file, an old one is
brought to the same form step by step, and a test compares the two. Constraints have names, so that a later migration
can drop them.

`trials` and `studies` are Optuna's; only the columns that our foreign keys and queries need are named here. Rows go
when Optuna's row goes (a study deleted in the dashboard takes its epochs along). Where a program deletes a study
without our foreign keys, `study_token` and `number` tell which rows are left over (`storage/study_tokens.py`).
"""

from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

MAX_WEIGHTS_BYTES = 2**24 - 1
"""MySQL would take 64 KiB at most, were the length not said; the others have no such limit."""
TOKEN_LENGTH = 64
LABEL_LENGTH = 255
"""Letters of what a candidate is called; servers refuse what is longer, and SQLite does not."""


class Base(DeclarativeBase):
    """The declarative base of our tables."""


trials = Table(
    "trials",
    Base.metadata,
    Column("trial_id", Integer, primary_key=True),
    Column("study_id", Integer),
    Column("number", Integer),
)
studies = Table("studies", Base.metadata, Column("study_id", Integer, primary_key=True))


class SchemaVersion(Base):
    """One row: the version of the tables below."""

    __tablename__ = "mnist_search_schema"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    database_token: Mapped[str | None] = mapped_column(String(16))
    """A random name of this database, with which the tokens of its studies begin."""


class EpochRow(Base):
    """One epoch of one trial. Accuracies are fractions of 1, losses nats per image."""

    __tablename__ = "epoch_records"

    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.trial_id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float] = mapped_column(Float(53))
    train_accuracy: Mapped[float] = mapped_column(Float(53))
    eval_loss: Mapped[float] = mapped_column(Float(53))
    eval_accuracy: Mapped[float] = mapped_column(Float(53))
    lr: Mapped[float] = mapped_column(Float(53))
    seconds: Mapped[float] = mapped_column(Float(53))
    core_seconds: Mapped[float | None] = mapped_column(Float(53))
    """None in rows of schema version 1 or 2, when it was not measured."""
    number: Mapped[int | None]
    study_token: Mapped[str | None] = mapped_column(String(TOKEN_LENGTH))


class SessionRow(Base):
    """One stretch of work of one dispatcher on one study. Times are seconds since 1970, UTC."""

    __tablename__ = "run_sessions"
    # `open` is 1 or NULL, and NULLs do not collide: a study has at most one open session, whoever inserts first.
    __table_args__ = (UniqueConstraint("study_id", "open"),)

    session_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.study_id", ondelete="CASCADE"))
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    started_at: Mapped[float] = mapped_column(Float(53))
    beat_at: Mapped[float] = mapped_column(Float(53))
    open: Mapped[int | None]
    workers: Mapped[int | None]
    """Worker processes that this dispatcher drives, and candidates that they train at once; None until it says so."""
    slots: Mapped[int | None]
    token: Mapped[str | None] = mapped_column(String(32))
    """A random number of this session's own. It and the three below are None in rows of schema version 6 or before."""
    place: Mapped[str | None] = mapped_column(String(64))
    """Where process numbers mean what they mean here: this start of this machine, and this container."""
    process_began: Mapped[int | None] = mapped_column(BigInteger)
    """When the process of this number began, in the machine's own count; None where the machine does not say."""
    n_writes: Mapped[int] = mapped_column(server_default="0")
    """Batches of changes that this session has written."""
    active_seconds: Mapped[float] = mapped_column(Float(53), server_default="0")
    """For how long it worked, up to its last sign of life; time in which the machine was suspended is left out."""
    study_token: Mapped[str | None] = mapped_column(String(TOKEN_LENGTH))


class TrainingStateRow(Base):
    """A training between two epochs, from where it goes on when it is interrupted; it goes when its trial ends."""

    __tablename__ = "training_states"

    trial_id: Mapped[int] = mapped_column(
        ForeignKey("trials.trial_id", name="fk_training_states_trial_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    epoch: Mapped[int]
    """Epochs done."""
    state: Mapped[bytes] = mapped_column(LargeBinary(MAX_WEIGHTS_BYTES))
    """As `trainer.training.state` writes it."""
    number: Mapped[int | None]
    study_token: Mapped[str | None] = mapped_column(String(TOKEN_LENGTH))


class ArtifactLocationRow(Base):
    """One row at most: where files of trials are kept; beside an SQLite file where there is none."""

    __tablename__ = "artifact_location"

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(String(1024))


class TrainingRunRow(Base):
    """One training outside a study. `facts` is its result as JSON, epoch records included."""

    __tablename__ = "training_runs"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    candidate_id: Mapped[str] = mapped_column(String(64), index=True)
    label: Mapped[str] = mapped_column(String(LABEL_LENGTH))
    dataset: Mapped[str] = mapped_column(String(64))
    split: Mapped[str] = mapped_column(String(64))
    seed: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[float] = mapped_column(Float(53))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class VerificationRow(Base):
    """One use of `verify` on one candidate. `ended_at` is None while it runs, or if it was stopped."""

    __tablename__ = "verifications"

    verification_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    candidate_id: Mapped[str] = mapped_column(String(64), index=True)
    label: Mapped[str] = mapped_column(String(LABEL_LENGTH))
    dataset: Mapped[str] = mapped_column(String(64))
    study_id: Mapped[int | None] = mapped_column(
        ForeignKey("studies.study_id", name="fk_verifications_study_id", ondelete="CASCADE"), index=True
    )
    """The study that found the candidate, and its trial; None of a preset or a file."""
    trial: Mapped[int | None]
    n_compared: Mapped[int]
    """Candidates among which this one was chosen."""
    study_seconds: Mapped[float | None] = mapped_column(Float(53))
    """Active seconds of the study when this began."""
    study_core_seconds: Mapped[float | None] = mapped_column(Float(53))
    began_at: Mapped[float] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    seconds: Mapped[float] = mapped_column(Float(53))
    core_seconds: Mapped[float] = mapped_column(Float(53))
    """Processor time of the trainings of this use, its race included; earlier uses had their own."""
    precision: Mapped[str | None] = mapped_column(String(32))
    """The number format of its trainings, and the release of torch; None where an older program did not say."""
    torch: Mapped[str | None] = mapped_column(String(64))
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    study_token: Mapped[str | None] = mapped_column(String(TOKEN_LENGTH))


class VerificationRunRow(Base):
    """One training of a candidate with one seed, for a verification (split `test`) or a race (split `holdout`).

    Trainings in unlike number formats, or by unlike releases of torch, stand side by side: they are never averaged.
    `facts` is its result as JSON, epoch records and the answer to every evaluation image included.
    """

    __tablename__ = "verification_runs"
    __table_args__ = (
        UniqueConstraint(
            *("candidate_id", "dataset", "split", "seed", "precision", "torch"), name="uq_verification_runs_training"
        ),
    )

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    candidate_id: Mapped[str] = mapped_column(String(64))
    dataset: Mapped[str] = mapped_column(String(64))
    split: Mapped[str] = mapped_column(String(64))
    seed: Mapped[int] = mapped_column(BigInteger)
    precision: Mapped[str] = mapped_column(String(32))
    """Empty where nobody said, as `torch` is: NULLs would not collide, and a seed would be kept twice."""
    torch: Mapped[str] = mapped_column(String(64))
    ended_at: Mapped[float] = mapped_column(Float(53))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class VerificationWeightsRow(Base):
    """The trained network of a verification run, apart from it: who lists runs does not read their weights."""

    __tablename__ = "verification_weights"

    run_id: Mapped[int] = mapped_column(
        ForeignKey("verification_runs.run_id", name="fk_verification_weights_run_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    weights: Mapped[bytes] = mapped_column(LargeBinary(MAX_WEIGHTS_BYTES))
    """A state dict, by torch.save."""


OWN_TABLES = [
    cast(Table, row.__table__)
    for row in (
        SchemaVersion,
        EpochRow,
        SessionRow,
        TrainingStateRow,
        ArtifactLocationRow,
        TrainingRunRow,
        VerificationRow,
        VerificationRunRow,
        VerificationWeightsRow,
    )
]
