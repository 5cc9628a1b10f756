"""Samplers and pruners by name."""

import warnings

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from models.errors import MnistSearchError

SAMPLERS = ("tpe", "random")
PRUNERS = ("median", "none")

_STARTUP_TRIALS = 5
_WARMUP_SHARE = 1 / 3


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
                return TPESampler(seed=stream, group=True)
        case "random":
            return RandomSampler(seed=stream)
    raise MnistSearchError(f"unknown sampler {name!r}: use {' or '.join(SAMPLERS)}")


def make_pruner(name: str, epochs: int) -> BasePruner:
    """A pruner by name, for trainings of `epochs` epochs.

    The median pruner waits for a third of a training, since a schedule that starts high looks bad early, and until
    five candidates were trained to the end.
    """
    match name:
        case "median":
            # Optuna checks from the step of this number on, and our steps are epochs from 1.
            return MedianPruner(_STARTUP_TRIALS, n_warmup_steps=round(epochs * _WARMUP_SHARE) + 1)
        case "none":
            return NopPruner()
    raise MnistSearchError(f"unknown pruner {name!r}: use {' or '.join(PRUNERS)}")


def quiet_optuna() -> None:
    """Keeps Optuna's own log lines off the screen; the progress view says what matters."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
