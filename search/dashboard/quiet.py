"""What the dashboard's libraries log, as a line at most: a traceback would bury the address."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from models.printable import one_line

_LOGGERS = ("waitress", "optuna_dashboard")


@contextmanager
def quiet() -> Iterator[None]:
    """Meanwhile errors are logged in one line each, and nothing else is.

    Optuna warns at every page about importances that rest on few trials; the page itself shows them.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.ERROR)
        logger.propagate = False
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = (record.getMessage().splitlines() or [""])[0]
        fault = f": {record.exc_info[1]!r}" if record.exc_info else ""
        return one_line(f"dashboard: {text}{fault}")
