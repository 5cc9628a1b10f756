"""`mnist-search dashboard`: optuna-dashboard on the studies."""

from typing import Annotated

import typer

from search.cli import options

EXAMPLE = "Example: mnist-search dashboard --port 8080"


def command(
    host: Annotated[str, typer.Option("--host", help="Address to serve on. There is no login.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to serve on.")] = 8080,
    read_only: Annotated[bool, typer.Option("--read-only", help="Let visitors look and change nothing.")] = False,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: options.Study = None,
) -> None:
    """Serve optuna-dashboard on the studies, until Ctrl-C."""
    import sys

    from models.errors import MnistSearchError
    from search.dashboard.server import serve
    from search.study.study import open_study, study_names
    from storage.store import Store

    store = Store(storage, must_exist=True)
    names = study_names(store)
    if not names:
        raise MnistSearchError(f"no study in {store.url.render_as_string()} yet: `mnist-search run` begins one")
    shown = study or (names[0] if len(names) == 1 else None)
    page = f"studies/{open_study(store, shown).study_id}" if shown else ""
    print(f"http://{host}:{port}/dashboard/{page}  (Ctrl-C ends it)", file=sys.stderr, flush=True)
    serve(store, host, port, read_only)
