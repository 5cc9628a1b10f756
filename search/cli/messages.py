"""Messages on stderr: those that `-q` leaves out, those that `-v` adds, and those that are always printed."""

import inspect
import sys
import time
from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from inspect import Parameter
from typing import Annotated, Any

import typer

from search.cli.versions import library_versions
from search.measures.words import seconds_text


class Level(IntEnum):
    """How much is printed on stderr."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_level = Level.NORMAL


def set_level(level: Level) -> None:
    """Print so much from now on."""
    global _level
    _level = level


def level() -> Level:
    """How much is printed."""
    return _level


def warn(text: str) -> None:
    """Print what the user has to know: `-q` does not leave it out."""
    print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print a message, unless `-q` was given."""
    if _level > Level.QUIET:
        warn(text)


def detail(text: str) -> None:
    """Print a message that only `-v` asks for."""
    if _level == Level.VERBOSE:
        warn(text)


def loading() -> None:
    """A sign of life on a terminal, for commands whose imports take seconds."""
    if sys.stderr.isatty():
        say("loading torch…")


def _set_quiet(given: bool) -> bool:
    if given:
        set_level(Level.QUIET)
    return given


def _set_verbose(given: bool) -> bool:
    if given:
        set_level(Level.VERBOSE)
    return given


Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", callback=_set_quiet, help="Print no messages, only results, warnings and errors."),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", callback=_set_verbose, help="Print more messages: versions, each epoch, times."),
]
_OPTIONS = {"quiet": Quiet, "verbose": Verbose}


def with_messages(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same command with the options `-q` and `-v`, whose callbacks do all that they are for."""

    @wraps(command)
    def called(**given: Any) -> Any:
        began = time.monotonic()
        detail(", ".join(f"{name} {found}" for name, found in library_versions().items()))
        try:
            return command(**{name: value for name, value in given.items() if name not in _OPTIONS})
        finally:
            detail(f"the command took {seconds_text(time.monotonic() - began)}")

    own = inspect.signature(command)
    added = [Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=of) for name, of in _OPTIONS.items()]
    called.__signature__ = own.replace(parameters=[*own.parameters.values(), *added])  # type: ignore[attr-defined]
    called.__annotations__ = {**command.__annotations__, **_OPTIONS}
    return called
