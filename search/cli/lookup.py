"""From the words of a command line to a study and to candidates."""

from collections.abc import Callable

from search.cli.messages import detail, say
from search.study.naming import Named, existing_store, only_study
from search.study.study import SearchStudy
from search.verification.answer import find_named
from storage.store import Store
from storage.urls import shown


def find_store(storage: str) -> Store | None:
    """The storage, to read it, or None if nothing was ever stored there. Raises StorageError if it cannot be used."""
    return Store(storage, for_reading=True) if Store.exists(storage) else None


def find_study(storage: str, name: str | None, for_reading: bool = False) -> SearchStudy:
    """Return the study of this name, as `search.study.naming.only_study` does, and print where it is with `-v`."""
    store = existing_store(storage, for_reading)
    detail(f"database: {shown(store.url)}")
    return only_study(store, name)


def find_what(what: str, find_study: Callable[[], SearchStudy], is_taken: bool = True) -> Named:
    """Return the candidate that WHAT names; if it is the answer of a study, and taken, stderr says which trial and why.

    Raises MnistSearchError if nothing has that name.
    """
    named, answer = find_named(what, find_study)
    if answer is not None and is_taken:
        say(answer.line)
    return named
