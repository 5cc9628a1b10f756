"""SearchStudy: an Optuna study with its settings, and its trials."""

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.kinds import LARGEST
from models.nearest import did_you_mean
from models.printable import one_line
from search.space.space import Space
from search.study import attributes
from search.study.outcomes import Outcome
from search.study.samplers import make_pruner, quiet_optuna
from search.study.settings import StudySettings, require_unchanged
from search.study.soundness import DamagedStudyError, require_sound
from search.study.trials import Trials, best_of, budget_after, front_of, smallest_of
from storage.damage import damage_told
from storage.store import Store
from storage.trials import n_trials, read_trial, read_trials
from storage.urls import shown


class SearchStudy:
    """A study of this program: the settings it was begun with, and its trials, read once, at the first use."""

    def __init__(self, store: Store, study: optuna.Study, settings: StudySettings) -> None:
        self.store = store
        self.optuna = study
        self.settings = settings
        self._snapshot: Trials | None = None

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

    @property
    def snapshot(self) -> Trials:
        """The trials as they stood when they were first asked for, or at the last `refresh`."""
        if self._snapshot is None:
            self._snapshot = Trials(require_sound(self.name, read_trials(self.store.engine, self.study_id)))
        return self._snapshot

    def refresh(self, trials: Sequence[FrozenTrial] | None = None) -> None:
        """Forgets the snapshot: what is asked for next is read again, unless these are what was just read."""
        self._snapshot = None if trials is None else Trials(trials)

    def trials(self, *outcomes: Outcome) -> list[FrozenTrial]:
        """The ended trials of the snapshot with one of these outcomes, in order of their numbers."""
        return self.snapshot.of(*outcomes)

    def trial(self, number: int) -> FrozenTrial:
        """The trial of this number as it stands now. Raises MnistSearchError if there is none, or it is damaged."""
        trial = read_trial(self.store.engine, self.study_id, number) if number <= LARGEST else None
        if trial is None:
            n = n_trials(self.store.engine, self.study_id)
            held = f"0 to {n - 1}" if n else "none yet"
            raise MnistSearchError(f"study {self.name!r} has no trial {number}: it has {held}")
        return require_sound(self.name, [trial])[0]

    def running(self) -> list[FrozenTrial]:
        """The trials that are in training, or were when their dispatcher was killed."""
        return self.snapshot.running()

    def interrupted(self) -> list[FrozenTrial]:
        """The trials that were stopped half-way, and wait to go on."""
        return self.snapshot.interrupted()

    def counts(self) -> dict[str, int]:
        """How many trials had each of the reported outcomes."""
        return self.snapshot.counts()

    def n_past_gate(self) -> int:
        """How many candidates passed the gate and have ended: what `--trials` counts."""
        return self.snapshot.n_past_gate()

    def best(self) -> FrozenTrial | None:
        """The trained trial with the highest sustained accuracy; of equals the one with the fewest parameters."""
        return best_of(self.trials(Outcome.TRAINED))

    def smallest(self) -> FrozenTrial | None:
        """The trained trial with the fewest parameters whose sustained accuracy reached the target."""
        return smallest_of(self.trials(Outcome.TRAINED), self.settings.target)

    def front(self) -> list[FrozenTrial]:
        """The trained trials that are more accurate than all with as few parameters, from the smallest up."""
        return front_of(self.trials(Outcome.TRAINED))

    def budget(self) -> int:
        """Parameters that the next candidate must have fewer of."""
        trained = self.trials(Outcome.TRAINED)
        return budget_after(self.settings, ((t.user_attrs[attributes.PARAMS], t.value or 0.0) for t in trained))


def candidate_of(trial: FrozenTrial) -> Candidate:
    """The candidate of a trial. Raises MnistSearchError if it has none, or one that cannot be built."""
    if attributes.CANDIDATE not in trial.user_attrs:
        raise MnistSearchError(f"trial {trial.number} keeps no candidate: it was stopped before it had one")
    try:
        return Candidate.from_dict(trial.user_attrs[attributes.CANDIDATE])
    except MnistSearchError as error:
        raise DamagedStudyError(one_line(f"the candidate of trial {trial.number} is damaged: {error}")) from None


def open_study(store: Store, name: str) -> SearchStudy:
    """The study of this name. Raises MnistSearchError, which lists the studies there are, if it is unknown."""
    quiet_optuna()
    names = study_names(store)
    if name not in names:
        all_names = f"there are {', '.join(names)}" if names else "there is none yet; `mnist-search run` begins one"
        held = did_you_mean(name, names) or all_names
        raise MnistSearchError(f"no study {name!r} in {shown(store.url)}: {held}")
    with damage_told(f"study {name!r}"):
        study = optuna.load_study(study_name=name, storage=store.optuna)
        attrs = study.user_attrs
    return SearchStudy(store, study, _settings(name, attrs))


def resume_study(store: Store, name: str, given: Mapping[str, Any]) -> SearchStudy:
    """The study of this name, ready to go on. Raises MnistSearchError if a given setting is not its own."""
    opened = open_study(store, name)
    require_unchanged(name, opened.settings, given)
    return _with_pruner(opened)


def create_study(store: Store, name: str, settings: StudySettings) -> SearchStudy:
    """A new study. Raises MnistSearchError if its space holds no network within its budget."""
    quiet_optuna()
    require_room(Space.from_dict(settings.space), settings.max_params)
    # load_if_exists: a run that was killed right here left a study without settings, which nobody else could use.
    study = optuna.create_study(study_name=name, storage=store.optuna, direction="maximize", load_if_exists=True)
    study.set_user_attr(attributes.SETTINGS, settings.to_dict())
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        study.set_metric_names(["sustained_accuracy"])
    return _with_pruner(SearchStudy(store, study, settings))


def require_room(space: Space, max_params: int) -> None:
    """Raises MnistSearchError if the space holds no network within the budget."""
    if space.smallest_params >= max_params:
        raise MnistSearchError(
            f"--max-params {max_params}: the smallest network of this space has {space.smallest_params:,} parameters; "
            "ask for more than that, or give smaller ranges"
        )


def is_begun(store: Store, name: str) -> bool:
    """Whether a study of this name holds anything yet."""
    for study in _all_studies(store):
        if study.study_name == name:
            return bool(study.user_attrs) or store.optuna.get_n_trials(attributes.study_id(study)) > 0
    return False


def study_names(store: Store) -> list[str]:
    """The names of all studies, oldest first."""
    return [study.study_name for study in _all_studies(store)]


def _all_studies(store: Store) -> list[FrozenStudy]:
    with damage_told("the list of studies"):
        return store.optuna.get_all_studies()


def _with_pruner(study: SearchStudy) -> SearchStudy:
    study.optuna.pruner = make_pruner(study.settings.pruner, study.settings.epochs)
    return study


def _settings(name: str, attrs: Mapping[str, Any]) -> StudySettings:
    if attributes.SETTINGS not in attrs:
        raise MnistSearchError(f"study {name!r} was not made by mnist-search: name another with --study")
    try:
        return StudySettings.from_dict(attrs[attributes.SETTINGS])
    except MnistSearchError as error:
        raise MnistSearchError(one_line(f"study {name!r}: {error}")) from None
