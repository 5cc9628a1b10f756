"""Which errors of which database are its own fault, and not that of a statement or of what it says.

Each of the three tells by numbers of its own, and its drivers keep them in different places. What is not in these
tables is no fault of the database: a missing table, a value that is too long, a statement of too many variables.

Sources: https://www.sqlite.org/rescode.html, https://www.postgresql.org/docs/current/errcodes-appendix.html,
https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference
"""

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FaultKind:
    """A way in which a database fails."""

    what: str
    advice: str
    passes: bool
    """Whether waiting may help."""


LOCKED = FaultKind("the database is locked by another program", "end that program", True)
AWAY = FaultKind("the database does not answer", "see that its server runs and can be reached", True)
CROWDED = FaultKind("the database takes no more connections", "end some of its other programs", True)
CROSSED = FaultKind("the database undid a change that crossed another program's", "leave it to one program", True)
FULL = FaultKind("the disk of the database is full", "make room on it", False)
MEMORY = FaultKind("the database is out of memory", "free some", False)
READ_ONLY = FaultKind("the database may not be written any more", "let it be written again", False)
MOVED = FaultKind("the file of the database was moved or deleted", "put it back", False)
BROKEN = FaultKind("the disk of the database fails", "see that it is well, and not full", False)
DAMAGED = FaultKind("the database is damaged", "put back a copy of it", False)
REFUSED = FaultKind("the database refuses this user", "ask for the right", False)

_SQLITE = {
    3: REFUSED, 5: LOCKED, 6: LOCKED, 7: MEMORY, 8: READ_ONLY, 10: BROKEN, 11: DAMAGED, 13: FULL, 14: BROKEN,
    15: LOCKED, 26: DAMAGED,
}  # fmt: skip
"""By primary result code: the last byte."""
FAULTS_AT_OPENING = {"database is locked": LOCKED, "database or disk is full": FULL}
"""What SQLite says of a file that is opened, if it is no fault of whoever named it."""
_SQLITE_EXTENDED = {8 | 4 << 8: MOVED}

_POSTGRESQL = {
    "08": AWAY, "28": REFUSED, "40": CROSSED, "53": CROWDED, "58": BROKEN, "57P": AWAY,
    "25006": READ_ONLY, "3D000": REFUSED, "42501": REFUSED, "53100": FULL, "53200": MEMORY,
    "55P03": LOCKED, "57014": LOCKED, "XX001": DAMAGED, "XX002": DAMAGED,
}  # fmt: skip
"""By SQLSTATE, its class, or the part between."""
_SAID_AT_THE_DOOR = (
    (re.compile("too many clients|remaining connection slots", re.IGNORECASE), CROWDED),
    (re.compile("authentication failed|pg_hba|no password supplied|FATAL: .*does not exist", re.IGNORECASE), REFUSED),
)
"""What PostgreSQL says instead of letting one in; the drivers do not hand on its SQLSTATE."""

_MYSQL = {
    **dict.fromkeys((1053, 1077, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031), AWAY),
    **dict.fromkeys((2002, 2003, 2005, 2006, 2013, 2026, 2055), AWAY),
    **dict.fromkeys((1040, 1129, 1203, 1226), CROWDED),
    **dict.fromkeys((1205, 1317, 1969, 3024), LOCKED),
    **dict.fromkeys((1020, 1180, 1213, 1614), CROSSED),
    **dict.fromkeys((1021, 1114), FULL),
    **dict.fromkeys((1037, 1038, 1041), MEMORY),
    **dict.fromkeys((1036, 1290, 1792, 1836), READ_ONLY),
    **dict.fromkeys((3, 1024, 1026, 1030), BROKEN),
    **dict.fromkeys((1034, 1035, 1194, 1195), DAMAGED),
    **dict.fromkeys((1044, 1045, 1049, 1142, 1143, 1227, 1698), REFUSED),
}  # fmt: skip


def kind_of_fault(error: Any, dialect: str, is_disconnect: bool) -> FaultKind | None:
    """What a driver's error says of its database; None if that is not at fault.

    `is_disconnect` is what SQLAlchemy makes of it, which knows each driver's ways of losing a connection.
    """
    kind = _OF[dialect](error) if dialect in _OF else None
    return AWAY if kind is None and is_disconnect else kind


def _of_sqlite(error: Any) -> FaultKind | None:
    code = getattr(error, "sqlite_errorcode", 0)
    return _SQLITE_EXTENDED.get(code) or _SQLITE.get(code & 0xFF)


def _of_postgresql(error: Any) -> FaultKind | None:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if state is not None:
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:3]) or _POSTGRESQL.get(state[:2])
    if type(error).__name__ != "OperationalError":
        return None
    # No statement was refused: the connection was, or is lost.
    return next((kind for said, kind in _SAID_AT_THE_DOOR if said.search(str(error))), AWAY)


def _of_mysql(error: Any) -> FaultKind | None:
    code = next(iter(error.args), None)
    if code == 1030 and "28" in str(error):  # the storage engine's own word for a full disk
        return FULL
    return _MYSQL.get(code) if isinstance(code, int) else None


_OF = {"sqlite": _of_sqlite, "postgresql": _of_postgresql, "mysql": _of_mysql, "mariadb": _of_mysql}
