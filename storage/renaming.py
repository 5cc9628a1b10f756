"""A study gets another name."""

from sqlalchemy import Engine, column, table, update
from sqlalchemy.exc import IntegrityError

_STUDIES = table("studies", column("study_id"), column("study_name"))


def rename_study(engine: Engine, study_id: int, name: str) -> bool:
    """Gives a study this name; returns whether it could be had. Raises KeyError if there is no such study."""
    change = update(_STUDIES).where(_STUDIES.c.study_id == study_id).values(study_name=name)
    try:
        with engine.begin() as connection:
            n_changed = connection.execute(change).rowcount
    except IntegrityError:
        return False
    if n_changed == 0:
        raise KeyError(study_id)
    return True
