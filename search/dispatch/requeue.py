"""What did not come to its end goes back into the queue: interrupted trials as they are, failed ones as new trials."""

from collections import Counter
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.study import attributes
from search.study.outcomes import PASSED_GATE, Outcome
from search.study.study import SearchStudy
from storage.trial_changes import TrialChanges
from storage.trials import read_trials

MAX_RUNS = 3
"""Trials that a candidate gets whose trainings fail again and again: one in each session, two trainings in each."""


def hand_back(study: SearchStudy, trial_id: int) -> None:
    """Puts a trial that was stopped half-way back into the queue, with its number and all that is kept of it.

    It goes on from its last epoch when it is drawn next. What never had a candidate is ended: another program's.
    """
    trial = study.store.optuna.get_trial(trial_id)
    if trial.state is not TrialState.RUNNING:  # ended by a dispatcher that has taken the study over
        return
    changes = TrialChanges()
    if _is_wanted_again(trial):
        changes.waiting(trial_id)
    else:
        changes.user_attr(trial_id, attributes.OUTCOME, Outcome.INTERRUPTED)
        changes.user_attr(trial_id, attributes.REASON, "its dispatcher ended before it had a candidate")
        changes.end(trial_id, TrialState.FAIL)
    changes.write(study.store.engine)


def hand_back_running(study: SearchStudy) -> int:
    """Hands back all that runs in a study; returns how many. To be called by its owner, while nothing is trained.

    At the beginning that is what a dispatcher left that was killed, and at the end what a search has not ended.
    """
    running = read_trials(study.store.engine, study.study_id, TrialState.RUNNING)
    for trial in running:
        hand_back(study, attributes.trial_id(trial))
    study.refresh()
    return len(running)


def queue_failed(study: SearchStudy, most: int) -> int:
    """Queues candidates again that failed in an earlier session, with their seeds; returns how many.

    What failed was the machine, which may be well now. A candidate gets MAX_RUNS trials in all. `most` is how many
    are wanted: what would only wait is left as it is.
    """
    n_runs = Counter(_first_number(trial) for trial in study.trials(Outcome.FAILED))
    settled = {_first_number(trial) for trial in study.trials(*PASSED_GATE)}
    waiting = {_first_number(trial) for trial in study.snapshot.all if not trial.state.is_finished()}
    n_queued = 0
    for trial in study.trials(Outcome.FAILED):
        number = _first_number(trial)
        if n_queued < most and n_runs[number] < MAX_RUNS and number not in settled | waiting:
            study.optuna.enqueue_trial(trial.params, user_attrs=_attributes_again(trial))
            waiting.add(number)
            n_queued += 1
    if n_queued:
        study.refresh()
    return n_queued


def _is_wanted_again(trial: FrozenTrial) -> bool:
    """Whether it has a candidate, or was queued with one or with some of its values before its draw."""
    wanted = {attributes.CANDIDATE, attributes.GIVEN, attributes.RETRY_OF}
    return bool(wanted & set(trial.user_attrs)) or attributes.FIXED_PARAMS in trial.system_attrs


def _first_number(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get(attributes.RETRY_OF, trial.number))


def _attributes_again(trial: FrozenTrial) -> dict[str, Any]:
    """Its given candidate, and whose seed it has."""
    attrs = trial.user_attrs
    again = {attributes.GIVEN: attrs[attributes.GIVEN]} if attributes.GIVEN in attrs else {}
    return {**again, attributes.RETRY_OF: _first_number(trial)}
