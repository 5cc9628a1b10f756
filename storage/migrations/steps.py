"""Steps of a migration, each of which does nothing where it was done before.

SQLite and PostgreSQL do a whole migration or nothing of it. MySQL commits every change of a table at once: a migration
that was stopped half-way goes on at the next opening, from its beginning, over what is there.
"""

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations


def create_table(op: Operations, name: str, *parts: sa.Column | sa.Constraint) -> None:
    """Makes a table of columns and constraints, and the indexes of its columns."""
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *parts)
        return
    for part in parts:
        if isinstance(part, sa.Column) and part.index:
            create_index(op, name, part.name)


def create_index(op: Operations, table: str, column: str) -> None:
    """Makes the index of a column, under the name that SQLAlchemy gives it."""
    name = f"ix_{table}_{column}"
    if name not in _names(sa.inspect(op.get_bind()).get_indexes(table)):
        op.create_index(name, table, [column])


def drop_index(op: Operations, table: str, column: str) -> None:
    """Takes the index of a column away."""
    name = f"ix_{table}_{column}"
    if name in _names(sa.inspect(op.get_bind()).get_indexes(table)):
        op.drop_index(name, table)


def add_column(op: Operations, table: str, column: sa.Column) -> None:
    """Adds a column to a table."""
    if not has_column(op, table, column.name):
        op.add_column(table, column)


def has_column(op: Operations, table: str, column: str) -> bool:
    """Whether a table has this column."""
    return column in _names(sa.inspect(op.get_bind()).get_columns(table))


def optional_columns(op: Operations, table: str) -> set[str]:
    """The columns of a table that may be empty."""
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table) if column["nullable"]}


def has_foreign_key(op: Operations, table: str, name: str) -> bool:
    """Whether a table has a foreign key of this name."""
    return name in _names(sa.inspect(op.get_bind()).get_foreign_keys(table))


def _names(found: list[Any]) -> set[str | None]:
    return {one["name"] for one in found}
