"""Candidates side by side: what each is, and what trainings of it came to."""

import statistics
from collections.abc import Sequence
from typing import Any

from models.errors import MnistSearchError
from models.presets.measured import measured_preset
from search.facts.study_facts import trial_facts
from search.measures.statistics import difference
from search.study.history import epochs_of_trial, gap_of
from search.study.naming import Named
from search.study.outcomes import Outcome, outcome_of
from search.verification.judged import judged_verifications
from search.verification.soundness import require_sound_runs, require_sound_trainings
from storage.runs import runs_of
from storage.store import Store
from storage.verifications import release, verification_runs_of

SORT_KEYS = ("accuracy", "params", "macs", "name")

_RESULTS = ("on", "runs", "epochs", "sustained_accuracy", "best_accuracy", "gap", "held", "seconds", "accuracies")


def compare(named: Sequence[Named], store: Store | None, sort: str = "accuracy") -> list[dict[str, Any]]:
    """A row for each candidate, sorted. `on` says which images judged it: rows of unlike `on` do not compare.

    Results are means over `runs` trainings: those of its verification, else those of `train`, else the trial's one,
    else, for a preset, our own measurement that comes with the program; a candidate that nobody trained has none.
    `difference` is the mean minus that of the best row judged by the same images, by Welch's t test; it and what
    belongs to it are None where one of the two was trained only once.
    """
    if sort not in SORT_KEYS:
        raise MnistSearchError(f"unknown --sort {sort!r}: use {', '.join(SORT_KEYS[:-1])} or {SORT_KEYS[-1]}")
    rows = [_row(one, store) for one in named]
    rows = [row | _difference(row, _best_like(row, rows)) for row in rows]
    if sort == "accuracy":
        return sorted(rows, key=lambda row: -(row["sustained_accuracy"] or 0.0))
    return sorted(rows, key=lambda row: row[sort])


def _row(named: Named, store: Store | None) -> dict[str, Any]:
    arch = named.candidate.arch
    row: dict[str, Any] = {
        "name": named.label,
        "candidate": named.candidate.id,
        "params": arch.params,
        "macs": arch.macs,
        "receptive_field": arch.receptive_field,
    }
    runs = _verification_runs(named, store) or _trainings(named, store)
    return row | (_means(runs) or _trial(named) or _preset(named) or dict.fromkeys(_RESULTS))


def _verification_runs(named: Named, store: Store | None) -> list[dict[str, Any]]:
    """The seeds of the candidate's verification; of a trial's the last, which may have trained it longer."""
    if store is None:
        return []
    if named.study is not None and named.trial is not None:
        judged = [one for one in judged_verifications(named.study) if one.trial.number == named.trial.number]
        return judged[-1].runs if judged else []
    runs = verification_runs_of(store.engine, named.candidate.id)
    require_sound_runs(named.label, runs)
    return runs


def _trainings(named: Named, store: Store | None) -> list[dict[str, Any]]:
    """What `train` came to with the candidate."""
    runs = runs_of(store.engine, named.candidate.id) if store else []
    require_sound_trainings(named.label, runs)
    return runs


def _means(runs: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not runs:
        return None
    # The latest training says what is asked; the others count if they were judged by the same images for the same
    # goal, and trained alike.
    like = [run for run in runs if _question(run) == _question(runs[-1])]
    means = {key: statistics.fmean(run[key] for run in like) for key in ("sustained_accuracy", "gap", "seconds")}
    return {
        "on": f"{like[-1]['dataset']} {like[-1]['split']}",
        "runs": len(like),
        "epochs": like[-1]["epochs"],
        **means,
        "best_accuracy": max(run["best_accuracy"] for run in like),
        "held": all(run["held"] for run in like),
        "accuracies": [run["sustained_accuracy"] for run in like],
    }


def _question(run: dict[str, Any]) -> tuple[Any, ...]:
    goal = tuple(run[key] for key in ("dataset", "split", "target", "sustain"))
    # Of a training by `train`, `precision` says also why it is that one.
    return *goal, run.get("dtype") or run.get("precision"), release(run.get("torch", ""))


def _trial(named: Named) -> dict[str, Any] | None:
    if named.study is None or named.trial is None or outcome_of(named.trial) is not Outcome.TRAINED:
        return None
    facts = trial_facts(named.trial)
    curves = epochs_of_trial(named.study, named.trial)
    settings = named.study.settings
    return {
        "on": f"{settings.dataset} {settings.split}",
        "runs": 1,
        "epochs": len(curves),
        "gap": gap_of(curves),
        **{key: facts[key] for key in ("sustained_accuracy", "best_accuracy", "held", "seconds")},
        "accuracies": [facts["sustained_accuracy"]],
    }


def _preset(named: Named) -> dict[str, Any] | None:
    measured = measured_preset(named.preset.name) if named.preset else None
    if measured is None:
        return None
    return {
        "on": f"{measured['dataset']} {measured['split']}",
        "runs": 1,
        "accuracies": [measured["sustained_accuracy"]],
        **{key: measured[key] for key in _RESULTS if key in measured},
    }


def _best_like(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The best row that was judged by the same images."""
    like = [other for other in rows if other["accuracies"] and other["on"] == row["on"]]
    return max(like, key=lambda other: other["sustained_accuracy"], default=None)


def _difference(row: dict[str, Any], best: dict[str, Any] | None) -> dict[str, Any]:
    if best is None or best is row or not row["accuracies"]:
        return dict.fromkeys(("compared_with", "difference", "difference_interval", "told_apart"))
    found = difference(row["accuracies"], best["accuracies"])
    inside = found.interval
    return {
        "compared_with": best["name"],
        "difference": found.mean,
        "difference_interval": [inside.low, inside.high] if inside else None,
        "told_apart": found.is_told_apart if inside else None,
    }
