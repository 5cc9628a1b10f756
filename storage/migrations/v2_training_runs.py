"""Version 2: the trainings of `train` are kept."""

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """Makes training_runs, unless a program of version 2 did and was stopped before it had noted its version."""
    if not sa.inspect(op.get_bind()).has_table("training_runs"):
        create_training_runs(op)


def create_training_runs(op: Operations) -> None:
    """The table as version 2 had it."""
    op.create_table(
        "training_runs",
        sa.Column("run_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("candidate_id", sa.String(64), nullable=False, index=True),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("split", sa.String(64), nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("ended_at", sa.Float(53), nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
