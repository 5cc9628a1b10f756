"""A study as a draw or a pruner is to see it: some of its trials left out, or told otherwise than they are kept."""

from collections.abc import Callable, Collection
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

See = Callable[[list[FrozenTrial]], list[FrozenTrial]]
"""From all trials to those that are seen, as they are seen. What it is given must stay as it is."""


class SeeingSampler(BaseSampler):
    """A sampler that sees a study through something."""

    def __init__(self, sampler: BaseSampler, see: See) -> None:
        self._sampler = sampler
        self._see = see

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(seen(study, self._see), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(seen(study, self._see), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(seen(study, self._see), trial, param_name, param_distribution)


class SeeingPruner(BasePruner):
    """A pruner that sees a study through something, which may be another thing for each trial."""

    def __init__(self, pruner: BasePruner, see_of: Callable[[int], See]) -> None:
        """`see_of` is given the number of the trial that may be stopped."""
        self._pruner = pruner
        self._see_of = see_of

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        return self._pruner.prune(seen(study, self._see_of(trial.number)), trial)


def seen(study: Study, see: See) -> Study:
    """The study as it is seen through something."""
    return cast(Study, _SeenStudy(study, see))


class _SeenStudy:
    def __init__(self, study: Study, see: See) -> None:
        self._study = study
        self._see = see

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def get_trials(self, deepcopy: bool = True, states: Collection[TrialState] | None = None) -> list[FrozenTrial]:
        return self._get_trials(deepcopy, states)

    def _get_trials(
        self, deepcopy: bool = True, states: Collection[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        trials = self._see(self._study.get_trials(deepcopy))
        return [trial for trial in trials if states is None or trial.state in states]
