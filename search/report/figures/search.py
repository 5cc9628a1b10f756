"""Figures of a whole search: history, accuracy against parameters, importances."""

import warnings
from collections.abc import Collection, Sequence
from typing import Any

import optuna
import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial

from models.presets import OURS, PRESETS
from models.presets.measured import measured_preset
from search.measures.phrases import judges
from search.measures.verdict import Verdict
from search.measures.words import percent
from search.report.figures.look import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    Drawing,
    accuracy_axis,
    draw,
    errors,
    target_line,
)
from search.report.records import RECORDS, reported_accuracy
from search.report.winner import Winner
from search.study import attributes
from search.study.settings import StudySettings
from search.study.trials import front_of

_N_IMPORTANCES = 12
_WIDEST_SHOWN = 12_000
"""Parameters up to which the sources' networks are in the figure: one of them has six million."""


def history(trained: Sequence[FrozenTrial], settings: StudySettings) -> Drawing:
    """The sustained accuracy of every trained trial in their order, and the best so far."""
    figure = progress(trained, [trial.number for trial in trained], settings.target)
    figure.update_layout(xaxis_title="trial")
    caption = (
        f"Each dot is a network that was trained to the end; its height is its sustained accuracy on the "
        f"{judges(settings.split)}. The dashed line is the target. The scale spreads out the last percent."
    )
    return draw(figure, "Accuracy, trial by trial", caption, name="history")


def progress(
    trained: Sequence[FrozenTrial], at: Sequence[float], target: float, drawn: Collection[int] | None = None
) -> go.Figure:
    """Trained trials as dots where `at` says, which rises, the best of them so far as a line, and the target.

    `drawn` are the numbers of those that have a dot; None stands for all.
    """
    accuracies = [trial.value or 0.0 for trial in trained]
    dots = [dot for dot in zip(at, trained, strict=True) if drawn is None or dot[1].number in drawn]
    figure = go.Figure()
    figure.add_scatter(
        x=[x for x, _ in dots], y=errors(trial.value or 0.0 for _, trial in dots), mode="markers", name="trained",
        marker={"color": BLUE, "size": 7 if len(dots) < 500 else 4, "opacity": 0.7},
        customdata=[
            [trial.number, percent(trial.value or 0.0), f"{trial.user_attrs[attributes.PARAMS]:,}"]
            for _, trial in dots
        ],
        hovertemplate="trial %{customdata[0]}: %{customdata[1]}<br>%{customdata[2]} parameters<extra></extra>",
    )  # fmt: skip
    steps = rising(at, accuracies)
    figure.add_scatter(
        x=[x for x, _ in steps], y=errors(y for _, y in steps), mode="lines", name="best so far",
        line={"color": RED, "width": 2, "shape": "hv"}, hoverinfo="skip",
    )  # fmt: skip
    target_line(figure, target)
    figure.update_layout(yaxis=accuracy_axis(accuracies, target))
    return figure


def rising(numbers: Sequence[float], accuracies: Sequence[float]) -> list[tuple[float, float]]:
    """Where the best so far changes, and where it ends."""
    steps: list[tuple[float, float]] = []
    for number, accuracy in zip(numbers, accuracies, strict=True):
        if not steps or accuracy > steps[-1][1]:
            steps.append((number, accuracy))
    return [*steps, (numbers[-1], steps[-1][1])] if steps else []


def pareto(trained: Sequence[FrozenTrial], settings: StudySettings, winner: Winner | None) -> Drawing:
    """Accuracy against parameters: the trials and their front, the sources' networks, what others have shown."""
    figure = go.Figure()
    trials = [(t.user_attrs[attributes.PARAMS], t.value or 0.0, f"trial {t.number}") for t in trained]
    _points(figure, trials, f"trials ({judges(settings.split)})", color=BLUE, size=6, opacity=0.5)
    front = front_of(trained)
    figure.add_scatter(
        x=[t.user_attrs[attributes.PARAMS] for t in front], y=errors(t.value or 0.0 for t in front), mode="lines",
        name="Pareto front",
        line={"color": BLUE, "width": 2, "shape": "hv"}, hoverinfo="skip",
    )  # fmt: skip
    shown = trials + (_add_others(figure) if settings.dataset == "mnist" else [])
    if winner is not None:
        shown += _add_winner(figure, winner)
    target_line(figure, settings.target)
    figure.add_vline(x=settings.max_params, line={"color": GREY, "width": 1.5, "dash": "dot"})
    widest = max(settings.max_params, *(params for params, _, _ in shown))
    figure.update_layout(
        xaxis={"title": "trainable parameters", "range": [0, 1.04 * widest], "tickformat": ","},
        yaxis=accuracy_axis((accuracy for _, accuracy, _ in shown), settings.target),
    )
    return draw(figure, "Accuracy against parameters", _pareto_caption(settings), name="pareto", height=560)


def _pareto_caption(settings: StudySettings) -> str:
    caption = (
        "Up and to the left is better. The front joins the trials that no smaller one beats. Dashed: the target; "
        "dotted: the budget."
    )
    if settings.dataset != "mnist":
        return caption
    return (
        f"{caption} The sources' networks and the public records are judged by the test images, most by a single run "
        "that also chose what is quoted"
        + ("." if settings.split == "test" else "; the trials are judged by images held out of the training set.")
    )


def _add_others(figure: go.Figure) -> list[tuple[int, float, str]]:
    small = [preset for preset in PRESETS.values() if preset.reported_params <= _WIDEST_SHOWN]
    reported = [(p.reported_params, reported_accuracy(p) or p.reported_best, p.name) for p in small]
    ours = [
        (p.reported_params, found["sustained_accuracy"], f"{p.name}, our training")
        for p in small
        if (found := measured_preset(p.name))
    ]
    verified = [(p.reported_params, p.reported[0], f"{p.name}, mean over fresh seeds") for p in OURS.values()]
    records = [(record.params, record.accuracy, f"{record.title}<br>{record.who}") for record in RECORDS]
    _points(figure, reported, "sources, as reported", color=ORANGE, size=9, symbol="diamond-open")
    _points(figure, ours, "sources, trained by us", color=ORANGE, size=8, symbol="diamond")
    _points(figure, verified, "ours, verified", color=GREEN, size=9, symbol="diamond")
    _points(figure, records, "public records", color=PURPLE, size=9, symbol="square")
    return reported + ours + verified + records


def _add_winner(figure: go.Figure, winner: Winner) -> list[tuple[int, float, str]]:
    verified = winner.verified
    name = f"winner, {Verdict(verified.summary['verdict']).words} (test images)" if verified else "winner"
    points = [(winner.params, winner.accuracy, f"trial {winner.trial.number}")]
    _points(figure, points, name, color=RED, size=16, symbol="star")
    if winner.verified:
        bounds = winner.verified.summary["mean_interval"]
        if bounds:
            figure.add_scatter(
                x=[winner.params] * 2, y=errors(bounds), mode="lines", name="95% interval of its mean",
                line={"color": RED, "width": 2}, hoverinfo="skip",
            )  # fmt: skip
    return points


def _points(figure: go.Figure, points: Sequence[tuple[int, float, str]], name: str, **marker: Any) -> None:
    figure.add_scatter(
        x=[params for params, _, _ in points], y=errors(accuracy for _, accuracy, _ in points), mode="markers",
        name=name, marker=marker, customdata=[[percent(accuracy), label] for _, accuracy, label in points],
        hovertemplate="%{customdata[1]}<br>%{x:,} parameters, %{customdata[0]}<extra></extra>",
    )  # fmt: skip


def importances(study: optuna.Study) -> tuple[Drawing, list[str]] | None:
    """How much each value that was searched mattered, and their names by weight; None if that cannot be told."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.params]
    if len({trial.value for trial in trials}) < 2:
        return None
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        warnings.simplefilter("ignore", ExperimentalWarning)
        weights = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    names = list(weights)
    if not names:
        return None
    shown = names[:_N_IMPORTANCES]
    # Not optuna.visualization's: for its hover texts it copies all trials once a parameter, minutes for thousands.
    figure = go.Figure()
    figure.add_bar(
        orientation="h", y=[name.replace("_", " ") for name in shown], x=[weights[name] for name in shown],
        text=[f"{weights[name]:.2f}" for name in shown], textposition="outside", cliponaxis=False,
        marker={"color": GREEN}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_layout(xaxis_title="share explained", yaxis={"autorange": "reversed"})
    caption = (
        f"What told good trials from others (PED-ANOVA over {len(trials):,} trained trials; "
        f"the first {len(shown)} of {len(names)} values that were searched). "
        "With few trials this is a hint and no more."
    )
    return draw(figure, "What mattered", caption, name="importances", right=44), names
