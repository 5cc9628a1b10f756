"""`mnist-search dashboard`: optuna-dashboard on the studies."""

from typing import Annotated

import typer

from search.cli import options
from search.cli.messages import say, warn

EXAMPLE = "Example: mnist-search dashboard --port 8080"


def command(
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Address to serve on; beyond this machine with --read-only or --token."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Port to serve on. Default: 8080, or the next one free."),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Let visitors look and change nothing.")] = False,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TEXT",
            envvar="MNIST_SEARCH_TOKEN",
            help="Let those in alone who have it: 8 characters or more, or auto for a new one.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A further name it is known by. May be repeated."),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    storage: options.Storage = options.STORAGE_DEFAULT,
    study: Annotated[str | None, options.study_option("Study to begin with. Default: the only one there is.")] = None,
) -> None:
    """Serve optuna-dashboard on the studies, until Ctrl-C."""
    from search.cli.interrupts import terminable
    from search.dashboard.access import Access, chosen_token
    from search.dashboard.opening import Dashboard
    from search.dashboard.server import DEFAULT_PORT, own_process

    own_process()
    access = Access(host, read_only, chosen_token(token), tuple(allow_host or ()))
    with terminable():
        dashboard = Dashboard(storage, study, access, port)
        if dashboard.other_port is not None:
            say(f"port {DEFAULT_PORT} is taken: this one is on {dashboard.other_port}")
        warn(f"{dashboard.url}  (Ctrl-C ends it)")  # also with -q: nothing else tells where it is
        if dashboard.awaited is not None:
            say(dashboard.awaited)
        if dashboard.is_copy:
            say("the database may not be written: this shows it as it is now, not later changes")
        if open_browser:
            _open(dashboard.url)
        dashboard.serve()


def _open(url: str) -> None:
    """Opens the address; in a thread, since a browser of the terminal takes all the time it is used."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
