"""StudyMirror: a study in memory that goes along with the one in the database.

Samplers and pruners ask their storage for all trials, dozens of times a draw. In memory that costs nothing, and a draw
leaves no trace in the database before the gate has spoken: then it is written once (`search/dispatch/ledger.py`).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.dispatch.budget import Budget
from search.dispatch.seen import See, SeeingPruner, SeeingSampler, seen
from search.dispatch.window import Window, hiding
from search.study import attributes
from search.study.outcomes import PASSED_GATE, outcome_of
from search.study.samplers import make_sampler, telling
from search.study.settings import SMALLEST
from search.study.study import SearchStudy
from storage.trials import n_trials, read_trial


@dataclass(frozen=True)
class Row:
    """A trial's place in the database."""

    trial_id: int
    number: int


class StudyMirror:
    """Draws from a study and asks its pruner. Nothing here writes to the database."""

    def __init__(self, study: SearchStudy) -> None:
        self._study = study
        self._memory = optuna.create_study(direction="maximize", pruner=study.optuna.pruner)
        self._window = Window(study.settings.window) if study.settings.deterministic else None
        self._budget = Budget(study.settings) if study.settings.find == SMALLEST else None
        if self._window is not None or self._budget is not None:
            self._memory.pruner = SeeingPruner(study.optuna.pruner, self._seen_by_pruner)
        self._rows: dict[int, Row] = {}
        self._n_known = 0
        self._take_in(study.snapshot.all)

    def may_ask(self) -> bool:
        """Whether the next draw has all that it is to know: always, but in a deterministic study."""
        if self._window is None:
            return True
        trials = self._memory.get_trials(deepcopy=False)
        is_queue_empty = all(trial.state is not TrialState.WAITING for trial in trials)
        return not is_queue_empty or all(trials[n].state.is_finished() for n in self._window.known_to_next())

    def ask(self) -> optuna.Trial:
        """The next trial, in memory alone: one that waits in the queue, or else a new one."""
        self._follow()
        self._memory.sampler = self._sampler()
        return self._memory.ask()

    def _sampler(self) -> BaseSampler:
        """The sampler of one draw, whose random numbers are its own: a study that is resumed draws what it would have.

        Without a window that holds as far as results come in the same order, as those of a single slot do.
        """
        settings = self._study.settings
        sampler = make_sampler(settings.sampler, settings.seed, len(self._memory.get_trials(deepcopy=False)))
        if self._window is None and self._budget is None:
            return sampler
        return SeeingSampler(sampler, self._seen_by_draw)

    def _seen_by_draw(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        if self._window is not None:
            trials = hiding(self._window.hidden_from_next())(trials)
        return trials if self._budget is None else self._budget.restated(trials)

    def _seen_by_pruner(self, number: int) -> See:
        def see(trials: list[FrozenTrial]) -> list[FrozenTrial]:
            if self._window is not None:
                trials = hiding(self._window.hidden_from(number))(trials)
            return trials if self._budget is None else self._budget.within(trials)

        return see

    def budget(self) -> int:
        """Parameters that the next candidate must have fewer of, as far as its draw knows."""
        if self._budget is None:
            return self._study.settings.max_params
        trials = self._memory.get_trials(deepcopy=False)
        return self._budget.after(trials if self._window is None else hiding(self._window.hidden_from_next())(trials))

    def sized(self, shadow: optuna.Trial, params: int) -> None:
        """Notes the size of the network of a draw."""
        if self._budget is not None:
            self._budget.sized(shadow.number, params)

    def passed(self, shadow: optuna.Trial) -> None:
        """Notes that the candidate of a draw is to be trained."""
        if self._window is not None:
            self._window.drawn(shadow.number)

    def row(self, shadow: optuna.Trial) -> Row | None:
        """Where a trial stands in the database; None of one that is not written yet."""
        return self._rows.get(shadow.number)

    def written(self, shadow: optuna.Trial, row: Row) -> None:
        """Notes where a trial was written."""
        self._rows[shadow.number] = row
        if row.number == self._n_known:  # otherwise another program's trials stand between
            self._n_known += 1

    def frozen(self, shadow: optuna.Trial) -> FrozenTrial:
        """The trial as it stands in memory."""
        return self._memory.get_trials(deepcopy=False)[shadow.number]

    def tell(self, shadow: optuna.Trial, state: TrialState, value: float | None = None) -> FrozenTrial:
        """Ends a trial in memory, and returns what it came to: Optuna gives a pruned one its last report as value."""
        self._memory.tell(shadow, value, state=state)
        return self.frozen(shadow)

    def median(self, shadow: optuna.Trial, epoch: int) -> float | None:
        """What Optuna's median pruner compares with: the median of the trained in this epoch; None without any."""
        study = seen(self._memory, self._seen_by_pruner(shadow.number))
        trained = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        reported = [trial.intermediate_values[epoch] for trial in trained if epoch in trial.intermediate_values]
        return float(np.nanpercentile(reported, 50)) if reported else None

    def _follow(self) -> None:
        """Takes in what others have added to the database, such as a candidate that somebody queued by hand."""
        n = n_trials(self._study.store.engine, self._study.study_id)
        if n > self._n_known:
            ours = {row.number for row in self._rows.values()}
            new = (
                read_trial(self._study.store.engine, self._study.study_id, number)
                for number in range(self._n_known, n)
                if number not in ours
            )
            self._take_in([trial for trial in new if trial is not None])
            self._n_known = n

    def _take_in(self, trials: Sequence[FrozenTrial]) -> None:
        first = len(self._memory.get_trials(deepcopy=False))
        sampled = {trial.number for trial in telling([trial for trial in trials if _is_seen_by_tpe(trial)])}
        for number, trial in enumerate(trials, first):
            # Where trials are seen otherwise than they are kept, which of them are telling changes with each new one.
            self._add(
                _lightened(trial, trial.number in sampled or self._memory.pruner is not self._study.optuna.pruner)
            )
            self._rows[number] = Row(attributes.trial_id(trial), trial.number)
            if self._budget is not None and attributes.PARAMS in trial.user_attrs:
                self._budget.sized(number, trial.user_attrs[attributes.PARAMS])
            if self._window is not None and _is_past_gate(trial):
                self._window.drawn(number)
        self._n_known += len(trials)

    def _add(self, trial: FrozenTrial) -> None:
        """Adds a trial; one that Optuna refuses leaves an empty one in its place, so that the numbers stay in step.

        Such as a finished trial whose value somebody had queued from outside the range.
        """
        try:
            self._memory.add_trial(trial)
        except ValueError:
            self._memory.add_trial(create_trial(state=TrialState.FAIL))


def _is_seen_by_tpe(trial: FrozenTrial) -> bool:
    return bool(trial.params) and trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def _is_past_gate(trial: FrozenTrial) -> bool:
    """Whether its candidate was trained, or was in training when its search was stopped."""
    return outcome_of(trial) in PASSED_GATE or (
        attributes.CANDIDATE in trial.user_attrs and not trial.state.is_finished()
    )


def _lightened(trial: FrozenTrial, is_telling: bool) -> FrozenTrial:
    """What is asked for of a trial here: of an ended one not its candidate, and its draw only if TPE looks at it."""
    if not trial.state.is_finished():
        return trial
    light = copy.copy(trial)
    light.user_attrs = {}
    if not is_telling:
        light.params, light.distributions = {}, {}
    return light
