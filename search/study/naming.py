"""From names to studies and candidates: storage, --study, and WHAT of the command line."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.kinds import LARGEST
from models.nearest import did_you_mean, did_you_mean_file
from models.presets import KNOWN, Preset
from models.spec.file import load_spec
from search.study.study import SearchStudy, candidate_of, open_study, study_names
from storage.errors import NothingStoredError
from storage.store import Store
from storage.urls import parse, shown

BEST, SMALLEST = "best", "smallest"
_SPEC_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Named:
    """A candidate, what to call it, and where it comes from: a trial of a study, a preset, or a file."""

    label: str
    candidate: Candidate
    study: SearchStudy | None = None
    trial: FrozenTrial | None = None
    preset: Preset | None = None


def find_candidate(what: str, find_study: Callable[[], SearchStudy]) -> Named:
    """What the user means by `best`, `smallest`, a trial number, a preset's name or a spec file.

    `find_study` is called only for the first three. Raises MnistSearchError if nothing is called so.
    """
    if what in (BEST, SMALLEST):
        return _winner(what, find_study())
    if what.isdecimal():
        study = find_study()
        return _of_trial(study, study.trial(_number(what)))
    if what in KNOWN:
        return Named(what, KNOWN[what].candidate, preset=KNOWN[what])
    if what.endswith(_SPEC_SUFFIXES) or os.path.exists(what):
        return Named(Path(what).stem, load_spec(Path(what)))
    files = (str(path) for suffix in _SPEC_SUFFIXES for path in Path().glob(f"*{suffix}"))
    wanted = did_you_mean(what, ["answer", BEST, SMALLEST, *KNOWN, *files]) or (
        f"say answer, best, smallest, a trial number, a spec file, or a preset ({', '.join(KNOWN)})"
    )
    raise MnistSearchError(f"nothing is called {what!r}: {wanted}")


def existing_store(storage: str, for_reading: bool = False) -> Store:
    """Return the storage of this URL. `for_reading` allows files that may not be written.

    Raises:
        StorageError: Nothing is stored there, or it cannot be used.
    """
    try:
        return Store(storage, must_exist=True, for_reading=for_reading)
    except NothingStoredError as error:
        near = did_you_mean_file(Path(parse(storage).database or ""), os.path.isfile)
        raise NothingStoredError(f"nothing is stored at {storage}: {near}" if near else str(error)) from None


def only_study(store: Store, name: str | None) -> SearchStudy:
    """Return the study of this name; without a name the only study there is.

    Raises:
        MnistSearchError: There is no such study, or there are several and no name.
    """
    if name is not None:
        return open_study(store, name)
    names, where = study_names(store), shown(store.url)
    if len(names) == 1:
        return open_study(store, names[0])
    if not names:
        raise MnistSearchError(f"no study in {where} yet: `mnist-search run` begins one")
    raise MnistSearchError(f"{where} holds several studies: name one of {', '.join(names)} with --study")


def _number(digits: str) -> int:
    """Python itself refuses to read a number of thousands of digits; no trial has one."""
    return int(digits) if len(digits) <= len(str(LARGEST)) else LARGEST + 1


def _winner(what: str, study: SearchStudy) -> Named:
    trial = study.best() if what == BEST else study.smallest()
    if trial is None:
        missing = "trained" if what == BEST else f"reached {study.settings.target:.2%}"
        raise MnistSearchError(f"no candidate of study {study.name!r} has {missing} yet: go on with `mnist-search run`")
    return _of_trial(study, trial)


def _of_trial(study: SearchStudy, trial: FrozenTrial) -> Named:
    return Named(f"trial {trial.number}", candidate_of(trial), study, trial)
