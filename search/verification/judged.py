"""The verifications of a study, judged from their seeds: the one place that reads them, for whoever tells of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial
from sqlalchemy import Engine

from models.errors import MnistSearchError
from search.study.study import SearchStudy, candidate_of
from search.verification.seeds import TRIAL_EPOCHS
from search.verification.soundness import require_sound, require_sound_runs
from search.verification.summary import summarise, sustained_of
from storage.verifications import Verification, all_verifications, verification_runs_of, verifications_of


@dataclass(frozen=True)
class Judged:
    """A trial whose candidate was trained again with fresh seeds and judged by the test images."""

    trial: FrozenTrial
    record: Verification
    runs: list[dict[str, Any]]
    """Of each seed, in the order of the seeds, as `storage.verifications` keeps them; all trained alike."""
    summary: dict[str, Any]
    """What `search.verification.summary` makes of them today, whatever was printed then."""

    @property
    def n_compared(self) -> int:
        """Candidates among which the search chose this one."""
        return self.record.n_compared

    @property
    def finished(self) -> list[dict[str, Any]]:
        """The runs that did not diverge."""
        return [run for run in self.runs if not run["diverged"]]


def judged_verifications(study: SearchStudy) -> list[Judged]:
    """The finished verifications of a study's trials, oldest first, each by the target that it was asked for."""
    found = (judge(study, record) for record in records_of(study))
    return [one for one in found if one is not None]


def records_of(study: SearchStudy) -> list[Verification]:
    """The verifications of a study's trials, oldest first, the unfinished ones included.

    Raises MnistSearchError for what this program did not write.
    """
    return [require_sound(record) for record in verifications_of(study.store.engine, study.study_id)]


def all_records(database: Engine) -> list[Verification]:
    """All verifications, whatever found their candidates. Raises as `records_of` does."""
    return [require_sound(record) for record in all_verifications(database)]


def judge(study: SearchStudy, record: Verification, target: float | None = None) -> Judged | None:
    """What a verification says by a target, its own unless given.

    None if it was not finished, or is of another candidate than the trial's of its number, as in a study that was
    begun again.
    """
    trial = _verified_trial(study, record)
    runs = runs_of(study.store.engine, record)
    if trial is None or not runs:
        return None
    return Judged(trial, record, runs, summary_of(record, runs, target))


def runs_of(database: Engine, record: Verification) -> list[dict[str, Any]]:
    """The seeds of a finished verification, in their order; none of one that was not finished."""
    if record.summary is None:
        return []
    conditions = record.precision or "", record.torch or ""
    kept = verification_runs_of(database, record.candidate_id, record.dataset, conditions=conditions)
    require_sound_runs(record.label, kept)
    return sorted(kept, key=lambda run: int(run["seed_number"]))[: record.summary["n_seeds"]]


def summary_of(record: Verification, runs: list[dict[str, Any]], target: float | None = None) -> dict[str, Any]:
    """What the runs of a finished verification come to by a target, its own unless given."""
    assert record.summary is not None
    goal = record.summary["target"] if target is None else target
    return {**summarise(runs, goal, record.summary["sustain"]), "epochs": record.summary["epochs"]}


def median_run(runs: Sequence[dict[str, Any]], sustain: int) -> dict[str, Any]:
    """The run of median sustained accuracy; of an even number the lower of the two in the middle."""
    ranked = sorted(runs, key=lambda run: (sustained_of(run, sustain), int(run["seed_number"])))
    return ranked[(len(ranked) - 1) // 2]


def _verified_trial(study: SearchStudy, record: Verification) -> FrozenTrial | None:
    """The trial whose candidate, trained for as many epochs, is the one that was verified; None if it is not so."""
    if record.trial is None or record.summary is None:
        return None
    try:
        trial = study.trial(record.trial)
        candidate = candidate_of(trial)
    except MnistSearchError:  # there is no such trial, or it came to no candidate
        return None
    # Seeds that all diverged say fewer epochs than they were to have.
    lengths = {record.summary["epochs"], TRIAL_EPOCHS, candidate.recipe.epochs} - {0}
    ids = {candidate.with_epochs(epochs).id for epochs in lengths}
    return trial if record.candidate_id in ids else None
