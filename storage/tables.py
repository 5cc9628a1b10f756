"""Our tables, beside Optuna's in the same database.

`trials` and `studies` are Optuna's; only the columns our foreign keys point at are named here. Rows go when Optuna's
row goes (a study deleted in the dashboard takes its epochs along).
"""

from typing import Any

from sqlalchemy import JSON, Column, Float, ForeignKey, Integer, String, Table, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The declarative base of our tables."""


_trials = Table("trials", Base.metadata, Column("trial_id", Integer, primary_key=True))
_studies = Table("studies", Base.metadata, Column("study_id", Integer, primary_key=True))


class SchemaVersion(Base):
    """One row: the version of the tables below."""

    __tablename__ = "mnist_search_schema"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


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


class TrainingRunRow(Base):
    """One training outside a study. `facts` is its result as JSON, epoch records included."""

    __tablename__ = "training_runs"

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    candidate_id: Mapped[str] = mapped_column(String(64), index=True)
    label: Mapped[str] = mapped_column(String(255))
    dataset: Mapped[str] = mapped_column(String(64))
    split: Mapped[str] = mapped_column(String(64))
    seed: Mapped[int]
    ended_at: Mapped[float] = mapped_column(Float(53))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


OWN_TABLES = [SchemaVersion.__table__, EpochRow.__table__, SessionRow.__table__, TrainingRunRow.__table__]
