"""Creates our tables and checks that this program understands the ones it finds."""

from sqlalchemy import Engine, inspect, select
from sqlalchemy.orm import Session

from storage.errors import StorageError
from storage.tables import OWN_TABLES, Base, SchemaVersion

VERSION = 1


def ensure_schema(engine: Engine) -> None:
    """Makes our tables where they are missing. Raises StorageError for tables of a newer program."""
    found = _stored_version(engine)
    if found is None:
        Base.metadata.create_all(engine, tables=OWN_TABLES)  # type: ignore[arg-type]
        with Session(engine) as session, session.begin():
            session.add(SchemaVersion(id=1, version=VERSION))
    elif found > VERSION:
        raise StorageError(
            f"the database is of schema version {found}, this program knows {VERSION}: update mnist-search"
        )


def _stored_version(engine: Engine) -> int | None:
    if not inspect(engine).has_table(SchemaVersion.__tablename__):
        return None
    with Session(engine) as session:
        return session.scalar(select(SchemaVersion.version))
