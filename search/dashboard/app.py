"""optuna-dashboard on a storage of ours."""

import optuna_dashboard

from search.dashboard.wsgi import App
from storage.store import Store


def make_app(store: Store) -> App:
    """The application that shows the studies of a storage."""
    app: App = optuna_dashboard.wsgi(store.optuna, artifact_store=store.artifacts())
    return app
