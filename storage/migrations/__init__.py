"""How the tables of an older program become today's: a file for each version, run in order, a transaction each.

MySQL commits every change of a table at once: there each is made of steps that may be taken again (`steps.py`), and one
that was stopped half-way goes on when the database is opened again.

A migration is frozen once it is released. It spells its tables out instead of importing `storage/tables.py`, which goes
on changing: what it makes must be what programs of its version made.
"""

from collections.abc import Callable

from alembic.operations import Operations

from storage.migrations import (
    v2_training_runs,
    v3_verifications,
    v4_verifications_of_studies,
    v5_workers_and_slots,
    v6_networks_of_seeds,
    v7_faults,
    v8_rows_of_studies,
)

MIGRATIONS: dict[int, Callable[[Operations], None]] = {
    2: v2_training_runs.upgrade,
    3: v3_verifications.upgrade,
    4: v4_verifications_of_studies.upgrade,
    5: v5_workers_and_slots.upgrade,
    6: v6_networks_of_seeds.upgrade,
    7: v7_faults.upgrade,
    8: v8_rows_of_studies.upgrade,
}
"""By the version each leads to, from the one before. Version 1 had epoch_records and run_sessions."""

VERSION = max(MIGRATIONS)
"""Of the tables in `storage/tables.py`."""
