"""Version 7: trainings go on from their last epoch, sessions know their process by more than a number, and a database
knows where its artifacts are."""

import sqlalchemy as sa
from alembic.operations import Operations

from storage.migrations.exact_text import keep_text_exact
from storage.migrations.steps import add_column, create_table

_OURS = (
    *("epoch_records", "run_sessions", "training_runs", "verifications", "verification_runs", "verification_weights"),
    *("training_states", "artifact_location"),
)


def upgrade(op: Operations) -> None:
    """Makes the tables, empty, and the columns; older sessions have none of what is in them."""
    create_table(
        op,
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
    create_table(
        op,
        "artifact_location",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("url", sa.String(1024), nullable=False),
    )
    add_column(op, "run_sessions", sa.Column("token", sa.String(32), nullable=True))
    add_column(op, "run_sessions", sa.Column("place", sa.String(64), nullable=True))
    add_column(op, "run_sessions", sa.Column("process_began", sa.BigInteger, nullable=True))
    add_column(op, "run_sessions", sa.Column("n_writes", sa.Integer, nullable=False, server_default="0"))
    keep_text_exact(op.get_bind(), _OURS)
