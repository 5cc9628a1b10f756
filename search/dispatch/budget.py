"""Budget: in a search for the smallest network, each one that clears the target makes the budget its own size.

What was drawn before was drawn under a larger budget. Optuna keeps a constraint as it was first stated, so the sampler
is told of all trials anew at each draw: what is over the budget now ranks behind all else, by how much it is. So TPE
imitates the most accurate of what is small enough, and next to them what is hardly larger.
"""

import copy
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from search.dispatch.gate import excess_params
from search.study.settings import StudySettings
from search.study.trials import budget_after

_CONSTRAINTS = "constraints"
"""How the names of Optuna's system attributes begin that keep constraints."""


class Budget:
    """The budget that trials leave, and trials as they stand to it; their numbers are those of the mirror."""

    def __init__(self, settings: StudySettings) -> None:
        self._settings = settings
        self._sizes: dict[int, int] = {}

    def sized(self, number: int, params: int) -> None:
        """Notes the size of a trial's network."""
        self._sizes[number] = params

    def after(self, trials: Sequence[FrozenTrial]) -> int:
        """Parameters that a network must have fewer of, by the trained of these trials."""
        trained = (trial for trial in trials if trial.state is TrialState.COMPLETE and trial.number in self._sizes)
        return budget_after(self._settings, ((self._sizes[trial.number], trial.value or 0.0) for trial in trained))

    def restated(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """The trials as a draw is to see them: constrained by the budget that they leave."""
        budget = self.after(trials)
        return [self._restated(trial, budget) if trial.number in self._sizes else trial for trial in trials]

    def within(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """The trials that a pruner is to compare with: a small network is not to be held against larger ones."""
        budget = self.after(trials)
        return [trial for trial in trials if self._sizes.get(trial.number, 0) < budget]

    def _restated(self, trial: FrozenTrial, budget: int) -> FrozenTrial:
        told = copy.copy(trial)
        others = {key: value for key, value in trial.system_attrs.items() if not key.startswith(_CONSTRAINTS)}
        told.system_attrs = {
            **others,
            f"{_CONSTRAINTS}:params": float(excess_params(self._sizes[trial.number], budget)),
        }
        return told
