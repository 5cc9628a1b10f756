"""Version 3: verifications and the training of each of their seeds are kept, and what an epoch took of a processor."""

import sqlalchemy as sa
from alembic.operations import Operations

from storage.migrations.steps import add_column, create_table


def upgrade(op: Operations) -> None:
    """Makes what is new; a program of version 3 that was stopped half-way left some of it."""
    create_verifications(op)
    create_verification_runs(op)
    add_column(op, "epoch_records", sa.Column("core_seconds", sa.Float(53), nullable=True))


def create_verifications(op: Operations) -> None:
    """The table as version 3 had it."""
    create_table(
        op,
        "verifications",
        sa.Column("verification_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("candidate_id", sa.String(64), nullable=False, index=True),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("study_name", sa.String(255), nullable=True, index=True),
        sa.Column("trial", sa.Integer, nullable=True),
        sa.Column("n_compared", sa.Integer, nullable=False),
        sa.Column("study_seconds", sa.Float(53), nullable=True),
        sa.Column("study_core_seconds", sa.Float(53), nullable=True),
        sa.Column("began_at", sa.Float(53), nullable=False),
        sa.Column("ended_at", sa.Float(53), nullable=True),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("core_seconds", sa.Float(53), nullable=False),
        sa.Column("summary", sa.JSON, nullable=True),
    )


def create_verification_runs(op: Operations) -> None:
    """The table as version 3 had it."""
    create_table(
        op,
        "verification_runs",
        sa.Column("run_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("candidate_id", sa.String(64), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("split", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.Float(53), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.UniqueConstraint("candidate_id", "dataset", "split", "seed"),
    )
