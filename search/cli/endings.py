"""What a command says that could not do its work, and its exit code."""

import os

from models.errors import MnistSearchError, WorkFailedError
from models.printable import one_line
from storage.errors import StorageError, StorageFailedError, StudyLostError

EXIT_FAILED, EXIT_WRONG_USE = 1, 2

_LONGEST = 2_000
_FOLDER_GONE = "the working folder was deleted: change to one that exists (cd), and run the command there"


def require_working_folder() -> None:
    """Raise MnistSearchError if the working folder was deleted: torch then aborts while it is loaded."""
    if _is_folder_gone():
        raise MnistSearchError(_FOLDER_GONE)


def ending_of(error: Exception) -> tuple[str, int] | None:
    """The line and the exit code of an error; None of one that is a fault of this program, and wants its traceback."""
    ending = _ending_of(error)
    return None if ending is None else (one_line(ending[0], _LONGEST), ending[1])


def _ending_of(error: Exception) -> tuple[str, int] | None:
    match error:
        case StorageFailedError() | StudyLostError():
            return str(error), EXIT_FAILED
        case MnistSearchError() | StorageError():
            return str(error), EXIT_WRONG_USE
        case WorkFailedError():
            return f"{error}{'; what was finished is kept' if error.keeps_what_is_done else ''}", EXIT_FAILED
    if hasattr(error, "format_message"):  # click's: an unknown option, a value that is no number
        return f"{one_line(error.format_message(), _LONGEST // 2)} (see mnist-search --help)", EXIT_WRONG_USE
    failed = _disk_or_database(error)
    return None if failed is None else (failed, EXIT_FAILED)


def _disk_or_database(error: Exception) -> str | None:
    """The last resort for what nobody nearer to it has put into words."""
    from storage.faults import database_failed, disk_fault  # where nothing fails there may be no need of a database

    if isinstance(error, OSError):
        if isinstance(error, FileNotFoundError) and _is_folder_gone():
            return _FOLDER_GONE
        failed = disk_fault(error)
        return None if failed is None else str(failed)
    return database_failed(error)


def _is_folder_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
