"""Version 6: the network of each seed of a verification is kept, and `train` takes such a seed, a longer number."""

import sqlalchemy as sa
from alembic.operations import Operations

from storage.migrations.steps import create_table


def upgrade(op: Operations) -> None:
    """Makes the table, empty: the networks of older runs are gone."""
    create_table(
        op,
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
    [seed] = [one for one in sa.inspect(op.get_bind()).get_columns("training_runs") if one["name"] == "seed"]
    if not isinstance(seed["type"], sa.BigInteger):
        with op.batch_alter_table("training_runs") as batch:
            batch.alter_column("seed", existing_type=sa.Integer, type_=sa.BigInteger, existing_nullable=False)
