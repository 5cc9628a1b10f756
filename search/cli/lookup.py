"""From the words of a command line to a study and to candidates."""

import os
from collections.abc import Callable
from pathlib import Path

from models.errors import MnistSearchError
from models.nearest import did_you_mean_file
from search.cli.messages import detail, say
from search.study.naming import Named
from search.study.study import SearchStudy, open_study, study_names
from search.verification.answer import find_named
from storage.errors import NothingStoredError
from storage.store import Store
from storage.urls import parse, shown


def find_store(storage: str) -> Store | None:
    """The storage, to read it, or None if nothing was ever stored there. Raises StorageError if it cannot be used."""
    return Store(storage, for_reading=True) if Store.exists(storage) else None


def find_study(storage: str, name: str | None, for_reading: bool = False) -> SearchStudy:
    """The study of this name; without one, the only study there is.

    `for_reading` says that nothing will be written to it: then its file need not be writable.
    Raises MnistSearchError or StorageError if it cannot be told which, or nothing is there.
    """
    store = _open(storage, for_reading)
    detail(f"database: {shown(store.url)}")
    if name is not None:
        return open_study(store, name)
    names, where = study_names(store), shown(store.url)
    if len(names) == 1:
        return open_study(store, names[0])
    if not names:
        raise MnistSearchError(f"no study in {where} yet: `mnist-search run` begins one")
    raise MnistSearchError(f"{where} holds several studies: name one of {', '.join(names)} with --study")


def find_what(what: str, find_study: Callable[[], SearchStudy], is_taken: bool = True) -> Named:
    """Return the candidate that WHAT names; if it is the answer of a study, and taken, stderr says which trial and why.

    Raises MnistSearchError if nothing has that name.
    """
    named, answer = find_named(what, find_study)
    if answer is not None and is_taken:
        say(answer.line)
    return named


def _open(storage: str, for_reading: bool) -> Store:
    try:
        return Store(storage, must_exist=True, for_reading=for_reading)
    except NothingStoredError as error:
        near = did_you_mean_file(Path(parse(storage).database or ""), os.path.isfile)
        raise NothingStoredError(f"nothing is stored at {storage}: {near}" if near else str(error)) from None
