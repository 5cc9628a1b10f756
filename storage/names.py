"""The names of studies."""

from sqlalchemy import Engine, column, table, update
from sqlalchemy.exc import IntegrityError

_STUDIES = table("studies", column("study_id"), column("study_name"))


def rename_study(engine: Engine, study_id: int, name: str) -> bool:
    """Gives a study that is there another name; returns whether it was to be had. Nothing else of it changes."""
    renamed = update(_STUDIES).where(_STUDIES.c.study_id == study_id).values(study_name=name)
    try:
        with engine.begin() as connection:
            connection.execute(renamed)
    except IntegrityError:
        return False
    return True
