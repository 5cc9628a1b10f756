"""optuna-dashboard on a storage of ours, with its studies explained."""

import threading

import optuna_dashboard

from search.dashboard.artifact_store import DashboardArtifacts
from search.dashboard.empty_answers import never_empty
from search.dashboard.explaining import explaining, warm_up
from search.dashboard.noting import noting
from search.dashboard.renaming import renaming
from search.dashboard.view import StudyView
from search.dashboard.wsgi import App
from search.study import attributes
from storage.store import Store
from storage.trials import n_trials

_LARGE = 500
"""Trials from which on the first page takes a noticeable time to make."""


def make_app(store: Store) -> App:
    """The dashboard as a WSGI application."""
    view = StudyView(store)
    dashboard: App = optuna_dashboard.wsgi(view, artifact_store=DashboardArtifacts(view))
    app = explaining(noting(renaming(never_empty(dashboard), view), view), view)
    for study in view.get_all_studies():
        study_id = attributes.study_id(study)
        if n_trials(store.engine, study_id) > _LARGE:
            threading.Thread(target=warm_up, args=(app, study_id), daemon=True).start()
    return app
