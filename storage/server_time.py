"""The time of the database's own machine: the one clock that all dispatchers of a study share."""

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class ServerNow(FunctionElement[float]):
    """Seconds since 1970, UTC, with fractions, when the database comes to it: an expression for a statement.

    An SQLite file has no server: the clock is that of the machine that asks.
    """

    type = Float(53)
    name = "server_now"
    inherit_cache = True


@compiles(ServerNow, "sqlite")
def _sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"  # good to 50 µs


@compiles(ServerNow, "postgresql")
def _postgresql(*_: Any, **__: Any) -> str:
    # now() would be the time when the transaction began; and seconds are exact decimals, unless they are cast.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


@compiles(ServerNow, "mysql", "mariadb")
def _mysql(*_: Any, **__: Any) -> str:
    # UNIX_TIMESTAMP() goes by the time zone of the connection, in which an hour comes twice in autumn.
    return "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6)"
