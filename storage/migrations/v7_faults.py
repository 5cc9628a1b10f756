"""Version 7: trainings go on from their last epoch, sessions know their process by more than a number, and a database
knows where its artifacts are."""

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """Makes the tables, empty, and the columns; older sessions have none of what is in them."""
    op.create_table(
        "training_states",
        sa.Column(
            "trial_id",
            sa.Integer,
            sa.ForeignKey("trials.trial_id", name="fk_training_states_trial_id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary(2**24 - 1), nullable=False),
    )
    op.create_table(
        "artifact_location",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("url", sa.String(1024), nullable=False),
    )
    op.add_column("run_sessions", sa.Column("token", sa.String(32), nullable=True))
    op.add_column("run_sessions", sa.Column("place", sa.String(64), nullable=True))
    op.add_column("run_sessions", sa.Column("process_began", sa.BigInteger, nullable=True))
    op.add_column("run_sessions", sa.Column("n_writes", sa.Integer, nullable=False, server_default="0"))
