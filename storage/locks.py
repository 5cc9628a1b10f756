"""Waits for the lock of an SQLite file: with a line for the user, an ear for Ctrl-C, and for a given time.

SQLite waits in silence and deaf to Ctrl-C. So it waits for a moment only, and each statement is tried again.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Self, TypeVar

from storage.errors import StorageFailedError
from storage.fault_kinds import LOCKED
from storage.patience import Patience

_T = TypeVar("_T")

MOMENT_SECONDS = 2.0
"""How long SQLite itself waits."""


class LockWait:
    """How the connections to one file wait for its lock."""

    def __init__(self, where: str, tell: Callable[[str], None], seconds: float) -> None:
        self.arguments: dict[str, Any] = {"timeout": min(MOMENT_SECONDS, seconds), "factory": self._connect}
        """Of sqlite3.connect, for connections that wait like this."""
        self._where = where
        self._patience: Patience | None = Patience(tell, seconds=seconds)

    def leave_to_others(self) -> None:
        """Gives up after a moment from now on: somebody calls each action again, and tells the user where he looks."""
        self._patience = None

    def call(self, action: Callable[[], _T]) -> _T:
        """What a statement returns. Raises its own error if the lock is not had in time."""
        if self._patience is None:
            return action()
        try:
            return self._patience.call(lambda: self._try(action))
        except StorageFailedError as error:
            raise (error.__cause__ or error) from None

    def _connect(self, *arguments: Any, **named: Any) -> sqlite3.Connection:
        made = _Connection(*arguments, **named)
        made.lock_wait = self
        return made

    def _try(self, action: Callable[[], _T]) -> _T:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise StorageFailedError(LOCKED.what, self._where, LOCKED.advice, LOCKED.passes) from error


class _Connection(sqlite3.Connection):
    lock_wait: LockWait

    def cursor(self, *arguments: Any) -> sqlite3.Cursor:  # type: ignore[override]
        made: sqlite3.Cursor = super().cursor(*arguments or (_Cursor,))
        return made

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        return self.cursor().execute(*arguments)


class _Cursor(sqlite3.Cursor):
    connection: _Connection

    def execute(self, *arguments: Any) -> Self:
        return self.connection.lock_wait.call(lambda: super(_Cursor, self).execute(*arguments))

    def executemany(self, *arguments: Any) -> Self:
        return self.connection.lock_wait.call(lambda: super(_Cursor, self).executemany(*arguments))
