"""Samplers and pruners by name."""

import warnings
from collections.abc import Collection
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from models.errors import MnistSearchError

SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")

STARTUP_TRIALS = 5
"""Candidates that are trained to the end before the median pruner stops any."""
_WARMUP_SHARE = 1 / 5

MAX_SEEN = 600
"""Trials that TPE looks at in one draw."""
_BEST_SEEN, _LATEST_SEEN = 100, 250


def make_sampler(name: str, seed: int, n_existing: int) -> BaseSampler:
    """A sampler by name. Its random numbers follow from the seed and the number of trials there are already.

    Without the second a resumed study would draw its first candidates again.
    """
    stream = (seed * 1_000_003 + n_existing) % 2**32
    match name:
        case "tpe":
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                # group: values of a schedule or of a deep network exist only in some trials; without it the sampler
                # would fall back to treating every conditional value on its own.
                # constant_liar: what is in training counts as bad for the moment, so that many draws at once differ.
                return _SampledOnlyTPE(seed=stream, group=True, constant_liar=True)
        case "random":
            return RandomSampler(seed=stream)
    raise MnistSearchError(f"unknown sampler {name!r}: use {' or '.join(SAMPLERS)}")


class _SampledOnlyTPE(TPESampler):
    """TPE that learns from sampled trials alone, and of a long study from a part of them.

    A trial that was queued with a whole candidate (a warm start) has no parameters. Among the best it would only push
    sampled ones out of the set that TPE imitates, and leave it with nothing but its prior.
    """

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return super().infer_relative_search_space(_sampled_only(study), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(_sampled_only(study), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return super().sample_independent(_sampled_only(study), trial, param_name, param_distribution)


class _SampledOnlyStudy:
    """A study as the sampler is to see it, for one draw."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._seen: dict[frozenset[TrialState] | None, list[FrozenTrial]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Collection[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        key = frozenset(states) if states is not None else None
        if key not in self._seen:  # asked for once for each group of parameters
            trials = self._study._get_trials(deepcopy, states, use_cache)
            self._seen[key] = telling([trial for trial in trials if trial.params])
        return self._seen[key]


def telling(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """At most MAX_SEEN of the trials, in their order: the best, the latest, and of the others every so many.

    TPE looks at every trial anew for each group of parameters of each draw, so that a draw would take ever longer. The
    good ones it imitates are 25 at most, and are all among the best; the others tell it where not to look, for which a
    part of them does.
    """
    if len(trials) <= MAX_SEEN:
        return trials
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    best = sorted(complete, key=lambda t: (any(by > 0 for by in t.constraints.values()), -(t.value or 0.0)))[
        :_BEST_SEEN
    ]
    chosen = {trial.number for trial in (*best, *trials[-_LATEST_SEEN:])}
    others = [trial.number for trial in trials if trial.number not in chosen]
    n_left = MAX_SEEN - len(chosen)
    chosen |= {others[i * len(others) // n_left] for i in range(n_left)}
    return [trial for trial in trials if trial.number in chosen]


def _sampled_only(study: Study) -> Study:
    return cast(Study, _SampledOnlyStudy(study))


def make_pruner(name: str, epochs: int) -> BasePruner:
    """A pruner by name, for trainings of `epochs` epochs.

    The median pruner waits for a fifth of a training, since a schedule that starts high looks bad early, and until
    five candidates were trained to the end. Without any wait it stopped the best of random candidates in 15 % of the
    orders in which they might have come, and from two epochs of 15 on never (`benchmarks/results/fidelity.md`); what
    TPE comes to later lies closer together.
    """
    match name:
        case "median":
            # Optuna checks from the step of this number on, and our steps are epochs from 1.
            return MedianPruner(STARTUP_TRIALS, n_warmup_steps=round(epochs * _WARMUP_SHARE) + 1)
        case "none":
            return NopPruner()
    raise MnistSearchError(f"unknown pruner {name!r}: use {' or '.join(PRUNERS)}")


def quiet_optuna() -> None:
    """Keeps Optuna's own log lines off the screen; the progress view says what matters."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
