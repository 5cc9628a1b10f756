"""The command `mnist-search`, and how its commands end.

Exit 0 done; 1 the work failed; 2 wrong use or bad input, in one line; 130 interrupted. Results go to stdout,
everything else to stderr. The commands import torch and optuna when they run, so that `--help` is quick.
"""

import sys
from importlib.metadata import version

import typer

from models.errors import MnistSearchError
from search.cli import compare, dashboard, export, presets, run, show, status, train
from storage.errors import StorageError

EXIT_FAILED, EXIT_WRONG_USE, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="mnist-search",
    help="Finds the smallest convolutional network that reaches an accuracy target.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (run, status, show, presets, compare, train, export, dashboard):
    app.command(module.__name__.rpartition(".")[2], epilog=module.EXAMPLE)(module.command)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"mnist-search {version('mnist-search')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """The console script: runs a command and exits with its code."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        code = app(arguments, prog_name="mnist-search", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except (MnistSearchError, StorageError) as error:
        return _fail(str(error), EXIT_WRONG_USE)
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output had enough, such as `head`
        sys.stderr.close()
        return 0
    except Exception as error:
        if hasattr(error, "format_message"):  # click's: an unknown option, a value that is no number
            return _fail(f"{' '.join(error.format_message().split())} (see mnist-search --help)", EXIT_WRONG_USE)
        raise
    return code if isinstance(code, int) else 0


def _fail(text: str, code: int) -> int:
    print(f"mnist-search: {text}", file=sys.stderr)
    return code
