"""Text that is kept and compared letter by letter, as SQLite and PostgreSQL do by themselves.

MySQL's own way takes `A`, `a` and `ä` for one letter, so that two studies of such names were one; and an older server
that was not told otherwise keeps text in an alphabet without most of the world's letters.
"""

from collections.abc import Iterable

import sqlalchemy as sa

_COLLATION = "utf8mb4_bin"
_OF_OPTUNA = (
    *("studies", "study_directions", "study_user_attributes", "study_system_attributes", "trials"),
    *("trial_user_attributes", "trial_system_attributes", "trial_params", "trial_values"),
    *("trial_intermediate_values", "trial_heartbeats"),
)
_COLUMNS = sa.table(
    "columns",
    *map(sa.column, ("table_schema", "table_name", "collation_name", "data_type")),
    schema="information_schema",
)


def keep_text_exact(connection: sa.Connection, tables: Iterable[str]) -> None:
    """Converts the columns of these tables and of Optuna's in MySQL; the others need nothing."""
    if connection.dialect.name != "mysql":
        return
    c = _COLUMNS.c
    query = sa.select(c.table_name).distinct().where(c.table_schema == sa.func.database())
    query = query.where(c.collation_name != _COLLATION, c.table_name.in_([*tables, *_OF_OPTUNA]))
    for name in connection.scalars(query).all():
        connection.execute(sa.text(f"ALTER TABLE {name} CONVERT TO CHARACTER SET utf8mb4 COLLATE {_COLLATION}"))
