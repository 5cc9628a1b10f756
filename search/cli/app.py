"""The command `mnist-search`, and how its commands end.

Exit 0 done; 1 the work failed; 2 wrong use or bad input, in one line; 130 interrupted. Results go to stdout,
everything else to stderr. The commands import torch and optuna when they run, so that `--help` is quick.
"""

import select
import sys
from typing import Annotated

import typer

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
    trials,
    verify,
)
from search.cli.endings import ending_of, require_working_folder
from search.cli.interrupts import EXIT_INTERRUPTED
from search.cli.messages import Level, Quiet, Verbose, set_level, with_messages
from search.cli.streams import lasting_streams, open_closed_streams, turn_off
from search.cli.versions import version_lines

app = typer.Typer(
    name="mnist-search",
    help="Finds the smallest convolutional network that reaches an accuracy target.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (run, status, trials, show, presets, compare, train, verify, report, export, predict, dashboard, bench):
    app.command(module.__name__.rpartition(".")[2], epilog=module.EXAMPLE)(with_messages(module.command))


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version; with -v also the libraries, the device and the data.")
    ] = False,
    _quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    if context.invoked_subcommand is not None or verbose:  # all that may load torch
        require_working_folder()
    if version:
        print("\n".join(version_lines(verbose)))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: list[str] | None = None) -> None:
    """Runs a command and exits with its code."""
    set_level(Level.NORMAL)
    open_closed_streams()
    with lasting_streams():
        code = _run(arguments)
        try:
            sys.stdout.flush()
        except OSError as error:
            code = _not_printed(error, code)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(arguments, prog_name="mnist-search", standalone_mode=False)
    except typer.Exit as stop:
        return _interrupted() if stop.exit_code == EXIT_INTERRUPTED else stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _interrupted()
    except BrokenPipeError:
        return _reader_gone(0)
    except SystemExit as stop:  # typer's and rich's answer to a broken pipe
        return _reader_gone(0) if _has_no_reader(1) else int(stop.code or 0)
    except Exception as error:
        ending = ending_of(error)
        if ending is None:
            raise
        return _fail(*ending)
    if code == EXIT_INTERRUPTED:  # a command's own word, or what typer makes of Ctrl-C
        return _interrupted()
    return code if isinstance(code, int) else 0


def _fail(text: str, code: int) -> int:
    print(f"mnist-search: {text}", file=sys.stderr)
    return code


def _interrupted() -> int:
    print("interrupted; what was finished is kept, the same command does the rest", file=sys.stderr)
    return EXIT_INTERRUPTED


def _not_printed(error: OSError, code: int) -> int:
    """The exit code where the last of the output could not be written."""
    ending = None if isinstance(error, BrokenPipeError) else ending_of(error)
    turn_off(sys.stdout)
    return code if ending is None else _fail(*ending)


def _has_no_reader(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _reader_gone(code: int) -> int:
    """The reader of our output had enough, as `head` has: no fault, and nothing more to say to it."""
    turn_off(sys.stdout)
    return code
