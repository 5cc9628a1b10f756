"""StudyView: a storage as optuna-dashboard is to see it.

It reads trials as fast as this program does, and only what has changed; optuna-dashboard would read all of them every
few seconds, which for 5,000 takes a core all the time. What is written goes to the database as ever.
"""

import contextlib
import copy
import threading
from collections.abc import Container
from typing import Any

from optuna.storages._cached_storage import _CachedStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from models.errors import MnistSearchError
from search.dashboard.made_files import files_of_study, files_of_trial
from search.dashboard.watched import WatchedStudy
from search.measures.phrases import dataset_name, judges
from search.measures.words import count_text, percent
from search.study import attributes
from search.study.settings import StudySettings
from search.study.study import open_study
from storage.growing_trials import GrowingTrials
from storage.store import Store
from storage.trials import place_of_trial

_UNREADABLE = (MnistSearchError, TypeError, AttributeError)
"""What comes of settings of a newer program, and of what another program keeps by that name, or of none at all."""


class StudyView(_CachedStorage):
    """Optuna's storage, with the studies of this program explained. Those of other programs are as they are."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.optuna)
        self.store = store
        self._watched: dict[int, tuple[Any, WatchedStudy | None]] = {}
        self._others: dict[int, GrowingTrials] = {}
        self._watching = threading.Lock()

    def watched(self, study_id: int) -> WatchedStudy | None:
        """A study of ours; None if another program made it. Raises KeyError if there is no such study."""
        name = self.get_study_name_from_id(study_id)
        # Its settings too: it may have been deleted and begun anew, and has none in the moment of its beginning.
        known_by = name, self._backend.get_study_user_attrs(study_id).get(attributes.SETTINGS)
        with self._watching:
            if study_id not in self._watched or self._watched[study_id][0] != known_by:
                self._watched[study_id] = (known_by, self._watch(name))
            return self._watched[study_id][1]

    def _watch(self, name: str) -> WatchedStudy | None:
        try:
            study = open_study(self.store, name)
            study.space.to_dict()  # of ranges that we know
            return WatchedStudy(study)
        except _UNREADABLE:
            return None

    def stored_attributes(self, study_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """A study's attributes as they are stored: settings, visitors' notes, artifacts."""
        return self._backend.get_study_user_attrs(study_id), self._backend.get_study_system_attrs(study_id)

    def get_study_name_from_id(self, study_id: int) -> str:
        """Read each time: a study may be renamed, or deleted and its number given to another."""
        return str(self._backend.get_study_name_from_id(study_id))

    def get_all_studies(self) -> list[FrozenStudy]:
        """The studies in the order in which they were begun, with their settings in words."""
        studies = sorted(super().get_all_studies(), key=attributes.study_id)
        for study in studies:
            study.user_attrs = settings_in_words(study.user_attrs)
            with contextlib.suppress(KeyError):  # deleted since
                study.system_attrs = study.system_attrs | self._files(attributes.study_id(study))
        return studies

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return super().get_study_system_attrs(study_id) | self._files(study_id)

    def _files(self, study_id: int) -> dict[str, str]:
        watched = self.watched(study_id)
        return {} if watched is None else files_of_study(watched.study)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Read each time, like the name."""
        return list(self._backend.get_study_directions(study_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        watched = self.watched(study_id)
        if watched is None:
            found = self._others.setdefault(study_id, GrowingTrials(self.store.engine, study_id)).read()
        else:
            found = watched.trials()
        trials = [trial for trial in found if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def get_trial(self, trial_id: int) -> FrozenTrial:
        trial = self._backend.get_trial(trial_id)
        study_id, _ = place_of_trial(self.store.engine, trial_id)
        if self.watched(study_id) is not None:
            trial.system_attrs = {**trial.system_attrs, **files_of_trial(trial)}
        return trial

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The study's answer. Optuna's best is the first of the most accurate, whatever their size."""
        watched = self.watched(study_id)
        best = None if watched is None else watched.best()
        return super().get_best_trial(study_id) if best is None else best


def settings_in_words(attrs: dict[str, Any]) -> dict[str, Any]:
    """A study's attributes with its settings one by one, where Optuna keeps them as one."""
    if attributes.SETTINGS not in attrs:
        return attrs
    others = {key: value for key, value in attrs.items() if key != attributes.SETTINGS}
    try:
        settings = StudySettings.from_dict(attrs[attributes.SETTINGS])
    except _UNREADABLE:
        return attrs
    words = {
        "dataset": dataset_name(settings.dataset),
        "judged by": judges(settings.split),
        "budget": f"fewer than {count_text(settings.max_params)} parameters",
        "target": f"{percent(settings.target)}, mean of the last {settings.sustain}",
        "epochs": str(settings.epochs),
        "sampler": settings.sampler,
        "pruner": settings.pruner,
        "seed": str(settings.seed),
    }
    return {**words, **{f"range of {name}": text for name, text in settings.space.items()}, **others}
