"""Figures of the winner: loss, accuracy and learning rate by epoch, and what it takes for what."""

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from search.measures.words import percent
from search.report.figures.look import (
    BLUE,
    GREY,
    ORANGE,
    Drawing,
    accuracy_axis,
    draw,
    epoch_axis,
    errors,
    line_mode,
    target_line,
)
from search.report.winner import Winner

N_CLASSES = 10
_LOSSES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5]


def curves(winner: Winner, target: float, judge: str) -> list[Drawing]:
    """Loss, accuracy and learning rate after each epoch; each seed a thin line, their mean a thick one.

    A copied study keeps accuracies alone: then the others are left out.
    """
    drawings = [_accuracies(winner, target, judge)] if known(winner.curves, "eval_accuracy") else []
    if known(winner.curves, "eval_loss"):
        drawings = [_losses(winner, judge), *drawings, _learning_rate(winner)]
    return drawings


def known(curves: Sequence[Sequence[dict[str, Any]]], key: str) -> list[float]:
    """The values of all epochs of which they are known."""
    return [record[key] for curve in curves for record in curve if record[key] is not None]


def _losses(winner: Winner, judge: str) -> Drawing:
    figure = go.Figure()
    _add_pair(figure, winner, judge, "loss", list, lambda value: f"{value:.4f}")
    figure.update_layout(
        xaxis=epoch_axis(len(winner.curves[0])),
        yaxis={"title": "loss (cross-entropy)", "type": "log", "tickvals": _LOSSES},
    )
    caption = (
        f"Training loss (with augmentation, dropout and label smoothing, so it may be the higher one) and {judge} loss "
        f"after each epoch.{_thin(winner)}"
    )
    return draw(figure, "Loss", caption, name="loss", height=380)


def _accuracies(winner: Winner, target: float, judge: str) -> Drawing:
    figure = go.Figure()
    _add_pair(figure, winner, judge, "accuracy", errors, percent)
    target_line(figure, target)
    shown = [*known(winner.curves, "train_accuracy"), *known(winner.curves, "eval_accuracy")]
    figure.update_layout(xaxis=epoch_axis(len(winner.curves[0])), yaxis=accuracy_axis(shown, target))
    caption = f"Training and {judge} accuracy after each epoch, and the target (dashed).{_thin(winner)}"
    return draw(figure, "Accuracy", caption, name="accuracy", height=380)


def _learning_rate(winner: Winner) -> Drawing:
    curve = winner.curves[0]
    figure = go.Figure()
    figure.add_scatter(
        x=[record["epoch"] for record in curve], y=[record["lr"] for record in curve], mode="lines+markers",
        line={"color": GREY, "width": 2}, name="learning rate",
        hovertemplate="epoch %{x}: %{y:.3g}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(xaxis=epoch_axis(len(winner.curves[0])), yaxis={"rangemode": "tozero"})
    return draw(figure, "Learning rate", "That of the last batch of each epoch.", name="lr", height=380)


def _thin(winner: Winner) -> str:
    return " Each seed is a thin line, the mean of all is the thick one." if len(winner.curves) > 1 else ""


def _add_pair(
    figure: go.Figure,
    winner: Winner,
    judge: str,
    what: str,
    place: Callable[[list[float]], list[float]],
    text: Callable[[float], str],
) -> None:
    for part, name, colour in (("train", "training", BLUE), ("eval", judge, ORANGE)):
        key, group = f"{part}_{what}", f"{name} {what}"
        many = len(winner.curves) > 1
        if many:
            for curve, label in zip(winner.curves, winner.curve_names, strict=True):
                _add_line(figure, curve, key, f"{label}, {name}", place, text, color=colour, width=1)
        _add_line(figure, mean_curve(winner.curves, key), key, group, place, text, color=colour, width=3)


def _add_line(
    figure: go.Figure,
    curve: Sequence[dict[str, Any]],
    key: str,
    name: str,
    place: Callable[[list[float]], list[float]],
    text: Callable[[float], str],
    **line: Any,
) -> None:
    curve = [record for record in curve if record[key] is not None]
    values = [record[key] for record in curve]
    figure.add_scatter(
        x=[record["epoch"] for record in curve], y=place(values), mode=line_mode(len(values)), name=name, line=line,
        showlegend=line["width"] > 1, opacity=0.45 if line["width"] == 1 else 1, customdata=[text(v) for v in values],
        hovertemplate=f"{name}, epoch %{{x}}: %{{customdata}}<extra></extra>",
    )  # fmt: skip


def mean_curve(all_curves: Sequence[Sequence[dict[str, Any]]], key: str) -> list[dict[str, Any]]:
    """The mean over trainings, epoch by epoch, as far as all of them go."""
    return [
        {"epoch": records[0]["epoch"], key: sum(record[key] for record in records) / len(records)}
        for records in zip(*all_curves, strict=False)
        if all(record[key] is not None for record in records)
    ]


def confusion(labels: Sequence[int], answers: Sequence[int], caption: str) -> Drawing:
    """How often each digit (rows) was taken for which (columns); only the mistakes are coloured."""
    counts = [[0] * N_CLASSES for _ in range(N_CLASSES)]
    for label, answer in zip(labels, answers, strict=True):
        counts[label][answer] += 1
    off_diagonal = [[None if i == j else n for j, n in enumerate(row)] for i, row in enumerate(counts)]
    figure = go.Figure(
        go.Heatmap(
            z=off_diagonal, x=list(range(N_CLASSES)), y=list(range(N_CLASSES)), showscale=False, xgap=2, ygap=2,
            colorscale=[[0, "rgba(224,68,62,0)"], [1, "rgba(224,68,62,0.9)"]], hoverongaps=False, zmin=0,
            hovertemplate="a %{y} taken for a %{x}: %{z} times<extra></extra>",
        )
    )  # fmt: skip
    for i, row in enumerate(counts):
        for j, n in enumerate(row):
            if n:
                figure.add_annotation(
                    x=j, y=i, text=f"<b>{n:,}</b>" if i == j else str(n), showarrow=False, font_size=11
                )
    figure.update_layout(
        xaxis={"title": "answer", "dtick": 1, "showgrid": False, "constrain": "domain"},
        yaxis={"title": "label", "dtick": 1, "autorange": "reversed", "showgrid": False},
    )
    return draw(figure, "Confusion matrix", caption, name="confusion", height=460)
