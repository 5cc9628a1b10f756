"""Warm start: known candidates that a search trains first."""

from collections.abc import Iterable

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.presets import PRESETS
from search.study import attributes
from search.study.naming import find_candidate
from search.study.study import SearchStudy

ALL_PRESETS = "presets"


def warm_start_candidates(names: Iterable[str], max_params: int) -> dict[str, Candidate]:
    """Candidates by name: presets, spec files, or `presets` for every preset under the budget.

    Raises MnistSearchError for an unknown name, and for one that the gate would reject.
    """
    candidates: dict[str, Candidate] = {}
    for name in names:
        if name == ALL_PRESETS:
            candidates |= {n: p.candidate for n, p in PRESETS.items() if p.candidate.arch.params < max_params}
            continue
        candidate = find_candidate(name, _no_study).candidate
        if candidate.arch.params >= max_params:
            raise MnistSearchError(
                f"--warm-start {name}: it has {candidate.arch.params:,} parameters, the budget is fewer than "
                f"{max_params:,}"
            )
        candidates[name] = candidate
    return candidates


def given_names(study: SearchStudy) -> list[str]:
    """The names of the warm starts that the study was given, in order."""
    names = (trial.user_attrs.get(attributes.WARM_START) for trial in study.snapshot.all)
    return list(dict.fromkeys(name for name in names if name))


def queue(study: SearchStudy, candidates: dict[str, Candidate]) -> int:
    """Queues candidates to be trained next, for the study's number of epochs; returns how many.

    Those that the study was given before are left out, so that running the same command again resumes it.
    """
    given = given_names(study) if candidates else []
    new = {name: candidate for name, candidate in candidates.items() if name not in given}
    for name, candidate in new.items():
        attrs = {attributes.GIVEN: candidate.with_epochs(study.settings.epochs).to_dict(), attributes.WARM_START: name}
        study.optuna.enqueue_trial({}, user_attrs=attrs)
    study.refresh()
    return len(new)


def _no_study() -> SearchStudy:
    raise MnistSearchError("--warm-start takes a preset, a spec file, or `presets` for all presets under the budget")
