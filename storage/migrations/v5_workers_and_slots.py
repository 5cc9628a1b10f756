"""Version 5: a session says how many workers and slots its dispatcher drives."""

import sqlalchemy as sa
from alembic.operations import Operations

from storage.migrations.steps import add_column


def upgrade(op: Operations) -> None:
    """Adds the columns; nobody can say any more what older sessions drove."""
    for name in ("workers", "slots"):
        add_column(op, "run_sessions", sa.Column(name, sa.Integer, nullable=True))
