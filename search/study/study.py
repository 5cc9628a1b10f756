"""SearchStudy: an Optuna study with its settings, and what is read from its trials."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from models.candidate import Candidate
from models.errors import MnistSearchError
from search.space.space import Space
from search.study import attributes
from search.study.outcomes import PASSED_GATE, REPORTED, Outcome, outcome_of
from search.study.samplers import make_pruner, make_sampler, quiet_optuna
from search.study.settings import StudySettings, require_unchanged
from storage.store import Store


class SearchStudy:
    """A study of this program: its trials, read afresh at each use, and the settings it was begun with."""

    def __init__(self, store: Store, study: optuna.Study, settings: StudySettings) -> None:
        self.store = store
        self.optuna = study
        self.settings = settings

    @property
    def name(self) -> str:
        return self.optuna.study_name

    @property
    def study_id(self) -> int:
        """The number of the study in the database."""
        return attributes.study_id(self.optuna)

    @cached_property
    def space(self) -> Space:
        """What is searched."""
        return Space.from_dict(self.settings.space)

    def trials(self, *outcomes: Outcome) -> list[FrozenTrial]:
        """The ended trials with one of these outcomes, in order of their numbers; copies are not made."""
        ended = self.optuna.get_trials(deepcopy=False)
        return [trial for trial in ended if outcome_of(trial) in outcomes]

    def trial(self, number: int) -> FrozenTrial:
        """The trial of this number. Raises MnistSearchError if there is none."""
        trials = self.optuna.get_trials(deepcopy=False)
        if not 0 <= number < len(trials):
            held = f"0 to {len(trials) - 1}" if trials else "none yet"
            raise MnistSearchError(f"study {self.name!r} has no trial {number}: it has {held}")
        return trials[number]

    def running(self) -> list[FrozenTrial]:
        """The trials that are in training, or were when their dispatcher was killed."""
        return self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def counts(self) -> dict[str, int]:
        """How many trials had each of the reported outcomes."""
        counted = Counter(outcome_of(trial) for trial in self.optuna.get_trials(deepcopy=False))
        return {str(outcome): counted[outcome] for outcome in REPORTED}

    def n_past_gate(self) -> int:
        """How many candidates passed the gate and have ended: what `--trials` counts."""
        return len(self.trials(*PASSED_GATE))

    def best(self) -> FrozenTrial | None:
        """The trained trial with the highest sustained accuracy; of equals the one with the fewest parameters."""
        return self.best_of(self.trials(Outcome.TRAINED))

    def best_of(self, trained: Sequence[FrozenTrial]) -> FrozenTrial | None:
        """The best of these trained trials."""
        return max(trained, key=_by_accuracy, default=None)

    def smallest(self) -> FrozenTrial | None:
        """The trained trial with the fewest parameters whose sustained accuracy reached the target."""
        return self.smallest_of(self.trials(Outcome.TRAINED))

    def smallest_of(self, trained: Sequence[FrozenTrial]) -> FrozenTrial | None:
        """The smallest at target of these trained trials."""
        reached = [trial for trial in trained if (trial.value or 0.0) >= self.settings.target]
        return min(reached, key=lambda t: (t.user_attrs[attributes.PARAMS], -(t.value or 0.0)), default=None)


def candidate_of(trial: FrozenTrial) -> Candidate:
    """The candidate of a trial. Raises MnistSearchError for a trial that another program made."""
    if attributes.CANDIDATE not in trial.user_attrs:
        raise MnistSearchError(f"trial {trial.number} keeps no candidate: it was stopped before it had one")
    return Candidate.from_dict(trial.user_attrs[attributes.CANDIDATE])


def open_study(store: Store, name: str) -> SearchStudy:
    """The study of this name. Raises MnistSearchError, which lists the studies there are, if it is unknown."""
    quiet_optuna()
    names = study_names(store)
    if name not in names:
        held = f"there are {', '.join(names)}" if names else "there is none yet; `mnist-search run` begins one"
        raise MnistSearchError(f"no study {name!r} in {store.url.render_as_string()}: {held}")
    study = optuna.load_study(study_name=name, storage=store.optuna)
    return SearchStudy(store, study, _settings(study))


def resume_study(store: Store, name: str, given: Mapping[str, Any]) -> SearchStudy:
    """The study of this name, ready to go on. Raises MnistSearchError if a given setting is not its own."""
    opened = open_study(store, name)
    require_unchanged(name, opened.settings, given)
    return _with_sampler(opened)


def create_study(store: Store, name: str, settings: StudySettings) -> SearchStudy:
    """A new study. Raises MnistSearchError if its space holds no network within its budget."""
    quiet_optuna()
    require_room(Space.from_dict(settings.space), settings.max_params)
    # load_if_exists: a run that was killed right here left a study without settings, which nobody else could use.
    study = optuna.create_study(study_name=name, storage=store.optuna, direction="maximize", load_if_exists=True)
    study.set_user_attr(attributes.SETTINGS, settings.to_dict())
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        study.set_metric_names(["sustained_accuracy"])
    return _with_sampler(SearchStudy(store, study, settings))


def require_room(space: Space, max_params: int) -> None:
    """Raises MnistSearchError if the space holds no network within the budget."""
    if space.smallest_params >= max_params:
        raise MnistSearchError(
            f"--max-params {max_params}: the smallest network of this space has {space.smallest_params:,} parameters; "
            "ask for more than that, or give smaller ranges"
        )


def is_begun(store: Store, name: str) -> bool:
    """Whether a study of this name holds anything yet."""
    for study in store.optuna.get_all_studies():
        if study.study_name == name:
            return bool(study.user_attrs) or store.optuna.get_n_trials(attributes.study_id(study)) > 0
    return False


def study_names(store: Store) -> list[str]:
    """The names of all studies, oldest first."""
    return [study.study_name for study in store.optuna.get_all_studies()]


def _with_sampler(study: SearchStudy) -> SearchStudy:
    settings = study.settings
    n_existing = len(study.optuna.get_trials(deepcopy=False))
    study.optuna.sampler = make_sampler(settings.sampler, settings.seed, n_existing)
    study.optuna.pruner = make_pruner(settings.pruner, settings.epochs)
    return study


def _settings(study: optuna.Study) -> StudySettings:
    if attributes.SETTINGS not in study.user_attrs:
        raise MnistSearchError(f"study {study.study_name!r} was not made by mnist-search: name another with --study")
    return StudySettings.from_dict(study.user_attrs[attributes.SETTINGS])


def _by_accuracy(trial: FrozenTrial) -> tuple[float, int]:
    return trial.value or 0.0, -int(trial.user_attrs[attributes.PARAMS])
