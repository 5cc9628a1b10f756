"""Version 6: the trained network of each verification run is kept."""

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    """Makes the table; the networks of older runs are gone."""
    op.create_table(
        "verification_weights",
        sa.Column(
            "run_id",
            sa.Integer,
            sa.ForeignKey("verification_runs.run_id", name="fk_verification_weights_run_id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("weights", sa.LargeBinary(2**24 - 1), nullable=False),
    )
