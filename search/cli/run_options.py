"""The options of `run` alone."""

from pathlib import Path
from typing import Annotated

import typer

from search.cli import completion
from search.cli.options import choice, study_option

Trials = Annotated[
    int,
    typer.Option("--trials", help="Candidates to train, in the whole study; those over the budget do not count."),
]
MaxParams = Annotated[
    int | None, typer.Option("--max-params", help="Budget: fewer trainable parameters than this. Default: 10000.")
]
Target = Annotated[float | None, typer.Option("--target", help="Accuracy to reach. Default: 0.994 (digits: 0.98).")]
Find = Annotated[
    str | None,
    choice(
        "--find",
        completion.FINDS,
        "What to look for: accuracy within the budget, or the smallest network at the target. Default: accuracy.",
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        "--margin",
        help="By how much one training must clear the target to be preferred as the answer, and to lower the budget of "
        "--find smallest. Default: 0.0006.",
    ),
]
Sustain = Annotated[
    int | None,
    typer.Option("--sustain", help="How many last epochs decide, by their mean. Default: 3, or fewer if --epochs is."),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", help="Length of each training. Default: 8 (digits: 15), or more if --sustain is."),
]
Sampler = Annotated[str | None, choice("--sampler", completion.SAMPLERS, "How candidates are drawn. Default: tpe.")]
Pruner = Annotated[
    str | None, choice("--pruner", completion.PRUNERS, "What stops weak trainings early. Default: median.")
]
SpaceFile = Annotated[
    Path | None,
    typer.Option("--space", metavar="FILE", help="YAML file of searched ranges, such as `body_width: 4:16`."),
]
SetRanges = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=RANGE", help="One searched range: 4:24, 0.01:0.5:log, or a,b,c. May be repeated."
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="TIME", help="Stop after this long: 90s, 20m, 1h30m or seconds; the same command goes on."
    ),
]
Patience = Annotated[
    str | None,
    typer.Option("--patience", metavar="TIME", help="How long to wait for a locked or absent database. Default: 10m."),
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Take the study over from a process that works on it, at once.")
]
StopAtTarget = Annotated[bool, typer.Option("--stop-at-target", help="Stop as soon as a candidate reaches the target.")]
WarmStart = Annotated[
    list[str] | None,
    typer.Option(
        "--warm-start",
        metavar="WHAT",
        autocompletion=completion.warm_starts,
        help="Train this first: a preset, a spec file, or `presets` for all within the budget. May be repeated.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of the study. Default: 0.")]
Deterministic = Annotated[
    bool,
    typer.Option(
        "--deterministic", help="The same trials in the same order, whatever the number and speed of the workers."
    ),
]
Window = Annotated[
    int | None,
    typer.Option("--window", help="Candidates under way at once in a deterministic study. Default: 8."),
]
Split = Annotated[
    str | None,
    choice("--split", completion.SPLITS, "What judges: held-out training images, or the test set. Default: holdout."),
]
Study = Annotated[str | None, study_option("Name of the study. Default: the dataset's name.")]
Dashboard = Annotated[bool, typer.Option("--dashboard", help="Serve optuna-dashboard on this study while it runs.")]
