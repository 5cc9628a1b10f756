"""What somebody may have meant by a name that is not known: those that are called nearly so."""

import os
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

_MOST_NAMES = 10_000
"""Of a folder's names, so many are compared at most: a thousand take a hundredth of a second."""

_FILES_CUTOFF = 0.7
"""How alike the names of files must be: a common suffix alone makes them rather alike."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question such as `did you mean a-step5?`; empty where no known name is near. Case does not matter."""
    return _question(_nearest(word, known))


def did_you_mean_file(path: Path, is_wanted: Callable[[Path], bool] = os.path.exists) -> str:
    """A question such as `did you mean mine.yaml?` for a path that is not there; empty where none is near.

    The first part of the path that is missing is looked for among what lies beside it; `is_wanted` says
    whether a path may be meant.
    """
    missing = path
    while missing != missing.parent and not os.path.exists(missing.parent):
        missing = missing.parent
    try:
        with os.scandir(missing.parent) as entries:
            names = [entry.name for entry in islice(entries, _MOST_NAMES)]
    except (OSError, ValueError):
        return ""
    alike = _nearest(missing.name, names, _FILES_CUTOFF)
    near = (missing.parent / name / path.relative_to(missing) for name in alike)
    return _question([str(one) for one in near if is_wanted(one)])


def _nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    named = {name.lower(): name for name in known}
    wanted = word.lower()
    return [named[match] for match in ([wanted] if wanted in named else get_close_matches(wanted, named, 3, cutoff))]


def _question(names: list[str]) -> str:
    return f"did you mean {', '.join(names)}?" if names else ""
