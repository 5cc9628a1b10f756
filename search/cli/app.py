"""The command `mnist-search`, and how its commands end.

Exit 0 done; 1 the work failed; 2 wrong use or bad input, in one line; 130 interrupted. Results go to stdout,
everything else to stderr. The commands import torch and optuna when they run, so that `--help` is quick.
"""

import os
import select
import sys
from importlib.metadata import version

import typer

from models.errors import MnistSearchError, WorkFailedError
from search.cli import (
    bench,
    compare,
    dashboard,
    export,
    predict,
    presets,
    report,
    run,
    show,
    status,
    train,
    verify,
)
from search.cli.interrupts import EXIT_INTERRUPTED
from storage.errors import StorageError

EXIT_FAILED, EXIT_WRONG_USE = 1, 2

app = typer.Typer(
    name="mnist-search",
    help="Finds the smallest convolutional network that reaches an accuracy target.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (run, status, show, presets, compare, train, verify, report, export, predict, dashboard, bench):
    app.command(module.__name__.rpartition(".")[2], epilog=module.EXAMPLE)(module.command)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"mnist-search {version('mnist-search')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Runs a command and exits with its code."""
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = _reader_gone(code)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(arguments, prog_name="mnist-search", standalone_mode=False)
    except typer.Exit as stop:
        return _interrupted() if stop.exit_code == EXIT_INTERRUPTED else stop.exit_code
    except (MnistSearchError, StorageError) as error:
        return _fail(str(error), EXIT_WRONG_USE)
    except WorkFailedError as error:
        return _fail(f"{error}{'; what was finished is kept' if error.keeps_what_is_done else ''}", EXIT_FAILED)
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except BrokenPipeError:
        return _reader_gone(0)
    except SystemExit as stop:  # typer's and rich's answer to a broken pipe
        return _reader_gone(0) if _has_no_reader(1) else int(stop.code or 0)
    except Exception as error:
        if hasattr(error, "format_message"):  # click's: an unknown option, a value that is no number
            return _fail(f"{' '.join(error.format_message().split())} (see mnist-search --help)", EXIT_WRONG_USE)
        raise
    if code == EXIT_INTERRUPTED:  # a command's own word, or what typer makes of Ctrl-C
        return _interrupted()
    return code if isinstance(code, int) else 0


def _fail(text: str, code: int) -> int:
    print(f"mnist-search: {text}", file=sys.stderr)
    return code


def _interrupted() -> int:
    print("interrupted; what was finished is kept, the same command does the rest", file=sys.stderr)
    return EXIT_INTERRUPTED


def _has_no_reader(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _reader_gone(code: int) -> int:
    """The reader of our output had enough, as `head` has: no fault, and nothing more to say to it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
