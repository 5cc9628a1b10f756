"""Samples of trials, where all of them would be too many to draw."""

import contextlib
import random
from collections.abc import Iterable, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

N_BEST, N_RANDOM = 100, 200


def thinned(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The best N_BEST trials and N_RANDOM others, drawn with a fixed seed; all of them if there are no more."""
    ranked = sorted(trials, key=lambda trial: -(trial.value or 0.0))
    others = ranked[N_BEST:]
    if len(others) > N_RANDOM:
        others = random.Random(0).sample(others, N_RANDOM)
    return sorted((*ranked[:N_BEST], *others), key=lambda trial: trial.number)


def sample_note(n_shown: int, n_all: int, what: str) -> str:
    """A sentence on which trials are drawn; nothing where all are."""
    if n_shown == n_all:
        return ""
    return f" Of {n_all:,} {what} the best {N_BEST} are drawn and {N_RANDOM} others, chosen at random."


def as_study(trials: Iterable[FrozenTrial], floor: float = 0.0) -> optuna.Study:
    """Trained trials as a study in memory, which Optuna's plots read, the most accurate last.

    Its values are accuracies in percent; those below `floor`, a fraction, are raised to it. The real study would be
    copied from the database, candidates and all, at each plot. What Optuna does not take is left out: trials that
    another program has added may have other choices for a value of the same name.
    """
    study = optuna.create_study(direction="maximize")
    for trial in sorted(trials, key=lambda trial: trial.value or 0.0):
        with contextlib.suppress(ValueError):
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    value=100 * max(trial.value or 0.0, floor),
                    params=trial.params,
                    distributions=trial.distributions,
                )
            )
    return study
