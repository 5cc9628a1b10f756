"""`mnist-search predict`: pictures classified by a model file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli import options
from search.cli.messages import say
from search.measures.words import plural

if TYPE_CHECKING:
    from trainer.inference.model import Answer
    from trainer.pictures.given import Given

EXAMPLE = "Example: mnist-search predict model photo.jpg"
_BAD_INPUT = 2


def command(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A bundle, or one of its files: .pt2, .onnx, .safetensors or .c."),
    ],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE", help="Pictures, folders of them, IDX files, or - for standard input."),
    ],
    as_is: Annotated[
        bool, typer.Option("--as-is", help="The pictures are 28x28, light on black: neither find nor frame the digit.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Draw what the network saw.")] = False,
    json: options.Json = False,
) -> int:
    """Classify pictures of any size, dark on light or light on dark. Each is framed as the model's dataset was."""
    import numpy as np

    from mnist_search import load_model
    from search.cli.tables import print_json
    from trainer.pictures.framing import framing_of
    from trainer.pictures.given import Seen, given_pictures, left_out

    opened = load_model(model)
    given = list(given_pictures(images, framing_of(opened.dataset), as_is, sys.stdin.buffer))
    seen = [one.pixels for one in given if isinstance(one, Seen)]
    answers = iter(opened.answers(np.stack(seen)) if seen else [])
    answered = [(one, next(answers) if isinstance(one, Seen) else None) for one in given]
    if json:
        print_json([_facts(one, answer) for one, answer in answered])
    else:
        _print_lines(answered, show)
    for word in images:
        if n := left_out(word):
            say(f"{word}: {plural(n, 'other file')} left out")
    return _report_refused(given)


def _facts(one: "Given", answer: "Answer | None") -> dict[str, object]:
    """A picture's row. Where there is no digit, `answer` and its numbers are None."""
    from trainer.pictures.given import Empty, Refused

    if isinstance(one, Refused):
        return {"name": one.name, "error": one.reason}
    numbers = {key: getattr(answer, key, None) for key in _NUMBERS}
    row = {"name": one.name, "answer": getattr(answer, "name", None), **numbers}
    return {**row, "reason": one.reason} if isinstance(one, Empty) else row


_NUMBERS = ("confidence", "runner_up", "runner_up_confidence")


def _print_lines(answered: "list[tuple[Given, Answer | None]]", show: bool) -> None:
    """Print a line for each picture that was read, in aligned columns, and the picture itself if it is wanted."""
    from search.cli.drawing import draw
    from trainer.pictures.given import Empty, Seen

    names = max((len(one.name) for one, _ in answered if isinstance(one, Seen | Empty)), default=0)
    widest = max((len(answer.name) for _, answer in answered if answer), default=0)
    for one, answer in answered:
        if isinstance(one, Empty):
            print(f"{one.name:<{names}}  {one.reason}")
        if isinstance(one, Seen) and answer:
            if show:
                draw(one.pixels)
            runner_up = f"then {answer.runner_up} ({_share(answer.runner_up_confidence)})"
            print(f"{one.name:<{names}}  {answer.name:<{widest}}  {_share(answer.confidence):>6}  {runner_up}")


def _share(confidence: float) -> str:
    """As `99.8%`; never 100 % of what is not quite sure."""
    return f"{min(100 * confidence, 99.9):.1f}%" if confidence < 1 else "100.0%"


def _report_refused(given: "list[Given]") -> int:
    """Print on stderr what could not be read; return the exit code. A picture without a digit is no error."""
    from trainer.pictures.given import Refused

    refused = [one for one in given if isinstance(one, Refused)]
    for one in refused:
        print(f"mnist-search: {one.reason}", file=sys.stderr)
    return _BAD_INPUT if refused else 0
