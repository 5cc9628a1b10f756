"""Version 3: verifications and the training of each of their seeds are kept, and what an epoch took of a processor."""

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """Makes what is new; a program of version 3 that was stopped half-way left some of it."""
    there = sa.inspect(op.get_bind())
    if not there.has_table("verifications"):
        create_verifications(op)
    if not there.has_table("verification_runs"):
        create_verification_runs(op)
    if "core_seconds" not in {column["name"] for column in there.get_columns("epoch_records")}:
        op.add_column("epoch_records", sa.Column("core_seconds", sa.Float(53), nullable=True))


def create_verifications(op: Operations) -> None:
    """The table as version 3 had it."""
    op.create_table(
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
    op.create_table(
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
