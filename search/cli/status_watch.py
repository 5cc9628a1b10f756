"""`mnist-search status --watch`: the status again and again, while a search runs."""

from collections.abc import Callable
from contextlib import nullcontext
from threading import Event
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.text import Text

from models.printable import printable
from search.cli.interrupts import EXIT_INTERRUPTED, interruptible
from search.cli.messages import say
from search.cli.status import status_text
from search.cli.tables import console
from search.facts.study_facts import study_facts

if TYPE_CHECKING:
    from search.study.study import SearchStudy

_SECONDS = 2.0
"""From one look to the next: one takes half a second of a processor in a study of a thousand trials."""


def watch_status(find_study: "Callable[[], SearchStudy]") -> int:
    """Print the status until no search runs: over itself on a terminal, elsewhere a new block for each change.

    Returns the exit code.
    """
    on, stop = console(), Event()
    # Not by KeyboardInterrupt, which is lost where it is raised while the interpreter collects garbage.
    view = Live(console=on, auto_refresh=False, transient=True) if on.is_terminal else nullcontext()
    with interruptible(stop.set), view as live:
        text = _watch(find_study, live, stop)
    if text is None:
        return EXIT_INTERRUPTED
    print(text)
    say("no search runs on this study")
    return 0


def _watch(find_study: "Callable[[], SearchStudy]", live: Live | None, stop: Event) -> str | None:
    """The status when no search runs any more; None where it was stopped before."""
    before = None
    while not stop.is_set():
        facts, text = _look(find_study)
        if not facts["is_running"]:
            return text
        if live is not None:
            live.update(Text("\n".join(map(printable, text.split("\n")))), refresh=True)
        elif before != (now := _without_clocks(facts)):
            before = now
            print(text, end="\n\n", flush=True)
        stop.wait(_SECONDS)
    return None


def _look(find_study: "Callable[[], SearchStudy]") -> tuple[dict[str, Any], str]:
    """The facts and their text. The study is opened each time: a file that may not be written is read from a copy."""
    study = find_study()
    try:
        facts = study_facts(study)
        return facts, status_text(facts, study)
    finally:
        study.store.close()


def _without_clocks(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts that change only where something happens."""
    return {key: value for key, value in facts.items() if key not in ("seconds", "core_seconds")}
