"""Window: what a deterministic study lets a candidate's draw and its pruner know, whatever has come in by then.

Which trainings end first is a matter of luck where several go on at once. So a candidate is drawn when all before it
but the last few have ended, and of those few nothing is known, whether they have ended or not.
"""

import copy
from collections.abc import Collection
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class Window:
    """The candidates past the gate, by the numbers of their trials, in the order of their draws."""

    def __init__(self, width: int) -> None:
        """`width` is how many may be under way at once, as the draws see it: the next one and those before it."""
        self._width = width
        self._drawn: list[int] = []
        self._place: dict[int, int] = {}

    def drawn(self, number: int) -> None:
        """A candidate has passed the gate, or goes on."""
        if number not in self._place:
            self._place[number] = len(self._drawn)
            self._drawn.append(number)

    def known_to_next(self) -> list[int]:
        """Those that must have ended before the next draw, which knows what became of them."""
        return self._known_to(len(self._drawn))

    def hidden_from(self, number: int) -> set[int]:
        """Those of which this candidate's pruner knows nothing."""
        place = self._place.get(number, len(self._drawn))
        return set(self._drawn[len(self._known_to(place)) :])

    def hidden_from_next(self) -> set[int]:
        """Those of which the next draw knows nothing but their candidates."""
        return set(self._drawn[len(self.known_to_next()) :])

    def _known_to(self, place: int) -> list[int]:
        return self._drawn[: max(0, place - self._width + 1)]


class WindowedSampler(BaseSampler):
    """A sampler to which hidden trials are in training, however far they are."""

    def __init__(self, sampler: BaseSampler, hidden: set[int]) -> None:
        self._sampler = sampler
        self._hidden = hidden

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(_seen(study, self._hidden), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(_seen(study, self._hidden), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(_seen(study, self._hidden), trial, param_name, param_distribution)


class WindowedPruner(BasePruner):
    """A pruner that compares a trial with those alone that had ended when it was drawn."""

    def __init__(self, pruner: BasePruner, window: Window) -> None:
        self._pruner = pruner
        self._window = window

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        return self._pruner.prune(_seen(study, self._window.hidden_from(trial.number)), trial)


class _SeenStudy:
    """A study in which hidden trials are in training."""

    def __init__(self, study: Study, hidden: set[int]) -> None:
        self._study = study
        self._hidden = hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def get_trials(self, deepcopy: bool = True, states: Collection[TrialState] | None = None) -> list[FrozenTrial]:
        return self._get_trials(deepcopy, states)

    def _get_trials(
        self, deepcopy: bool = True, states: Collection[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        seen = [self._as_seen(trial) for trial in self._study.get_trials(deepcopy)]
        return [trial for trial in seen if states is None or trial.state in states]

    def _as_seen(self, trial: FrozenTrial) -> FrozenTrial:
        if trial.number not in self._hidden or not trial.state.is_finished():
            return trial
        under_way = copy.copy(trial)
        under_way.state, under_way.values, under_way.datetime_complete = TrialState.RUNNING, None, None
        return under_way


def _seen(study: Study, hidden: set[int]) -> Study:
    return cast(Study, _SeenStudy(study, hidden))
