"""Version 2: the trainings of `train` are kept."""

import sqlalchemy as sa
from alembic.operations import Operations

from storage.migrations.steps import create_table


def upgrade(op: Operations) -> None:
    """Makes training_runs; a program of version 2 that was stopped half-way did, and had not noted its version."""
    create_table(
        op,
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
