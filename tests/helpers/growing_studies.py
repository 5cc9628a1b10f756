"""Trials that begin, are trained and end one step at a time, as a dispatcher writes them; none of them is trained."""

from typing import Any

from optuna.trial import TrialState, create_trial

from benchmarks._made_trials import made_epoch
from models.presets import PRESETS
from search.dispatch.gate import excess_params
from search.space.space import Space
from search.study import attributes
from search.study.outcomes import Outcome
from search.study.settings import StudySettings
from search.study.study import SearchStudy, create_study
from storage.store import Store
from storage.trial_changes import TrialChanges

CANDIDATES = sorted((preset.candidate for preset in PRESETS.values()), key=lambda one: one.arch.params)
"""Those of the sources, the smallest first; the last ones are over any budget."""
EPOCHS = 3
TARGET = 0.99
_STATES = {Outcome.TRAINED: TrialState.COMPLETE, Outcome.PRUNED: TrialState.PRUNED, Outcome.DIVERGED: TrialState.PRUNED,
           Outcome.REJECTED: TrialState.PRUNED}  # fmt: skip


def empty_study(store: Store, name: str = "digits", **settings: Any) -> SearchStudy:
    """A study of ours without a trial, of three epochs of which the last two decide."""
    given: dict[str, Any] = {"dataset": "digits", "epochs": EPOCHS, "sustain": 2, "target": TARGET, **settings}
    space = Space.of({}, given.get("max_params", 10_000)).to_dict()
    return create_study(store, name, StudySettings(**given, space=space))


def begin(study: SearchStudy, candidate: int | None = 0, state: TrialState = TrialState.RUNNING, **attrs: Any) -> int:
    """A new trial of one of `CANDIDATES`, or of none; its number in the database."""
    known, constraints = {}, {}
    if candidate is not None:
        made = CANDIDATES[candidate]
        known = {
            attributes.CANDIDATE: made.to_dict(), attributes.CANDIDATE_ID: made.id, attributes.MACS: made.arch.macs,
            attributes.PARAMS: made.arch.params,
        }  # fmt: skip
        excess = excess_params(made.arch.params, study.settings.max_params)
        constraints = {"constraints:params": excess, attributes.CONSTRAINTS: [float(excess)]}
    template = create_trial(state=state, user_attrs={**known, **attrs}, system_attrs=constraints)
    return study.store.optuna.create_new_trial(study.study_id, template)


def train(study: SearchStudy, trial_id: int, *accuracies: float, first: int = 1) -> None:
    """Epochs of a running trial."""
    changes = TrialChanges()
    for epoch, accuracy in enumerate(accuracies, first):
        changes.report(trial_id, epoch, accuracy)
        changes.epoch(trial_id, made_epoch(epoch, accuracy))
    changes.write(study.store.engine)


def end(study: SearchStudy, trial_id: int, outcome: Outcome, value: float | None = None, **attrs: Any) -> None:
    """The end of a running trial."""
    changes = TrialChanges()
    for key, fact in {attributes.OUTCOME: outcome, **attrs}.items():
        changes.user_attr(trial_id, key, fact)
    changes.end(trial_id, _STATES.get(outcome, TrialState.FAIL), None if value is None else [value])
    changes.write(study.store.engine)


def trained(study: SearchStudy, candidate: int, *accuracies: float, **attrs: Any) -> int:
    """A trial that was trained to its end; its number in the database."""
    trial_id = begin(study, candidate)
    train(study, trial_id, *accuracies)
    sustain = study.settings.sustain
    held = min(accuracies[-sustain:]) >= study.settings.target
    value = sum(accuracies[-sustain:]) / sustain
    end(study, trial_id, Outcome.TRAINED, value, **{"held": held, "active_seconds": 60.0, "seconds": 9.0, **attrs})
    return trial_id
