"""What all figures of the report have in common: colours, sizes, the axis of accuracies, and the way into the page."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import plotly.io
from markupsafe import Markup

from search.study.outcomes import Outcome

BLUE, ORANGE, GREEN, RED, GREY, PURPLE = "#3b82f6", "#e08a1e", "#0f9d6b", "#e0443e", "#8a94a6", "#8b5cf6"
COLOURS = {
    Outcome.TRAINED: BLUE,
    Outcome.PRUNED: ORANGE,
    Outcome.REJECTED: GREY,
    Outcome.DIVERGED: PURPLE,
    Outcome.FAILED: RED,
    Outcome.INTERRUPTED: "#64748b",
    Outcome.DUPLICATE: "#a8a29e",
}
FLOOR = 0.0001
"""The error at which 100 % is drawn, an image of 10,000: a logarithmic axis has no zero."""

_TICKS = (0.1, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.992, 0.994, 0.995, 0.996, 0.997, 0.998, 0.999, 0.9995, 1)
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "displayModeBar": "hover",
    # Named one by one: among plotly's own are some that would send the figure to a server.
    "modeBarButtons": [["zoom2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
}


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure, and what a reader is told of it. `name` is its id in a page."""

    title: str
    caption: str
    figure: go.Figure
    name: str
    height: int
    """In pixels."""

    @property
    def html(self) -> Markup:
        """The figure as a piece of HTML, without plotly.js: the page holds that once."""
        html = plotly.io.to_html(
            self.figure, config=_CONFIG, include_plotlyjs=False, full_html=False, validate=False,
            div_id=f"figure-{self.name}", default_height=f"{self.height}px",
        )  # fmt: skip
        return Markup(html)


def draw(figure: go.Figure, title: str, caption: str, *, name: str, height: int = 420, right: int = 12) -> Drawing:
    """A figure in the look of all of them.

    `right` is its right margin in pixels, for what stands beyond the end of an axis.
    """
    figure.update_layout(
        template="none",
        title=None,
        height=height,
        autosize=True,
        # Without: a finger that scrolls the page over a figure would draw a box instead.
        dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13},
        margin={"l": 52, "r": right, "t": 30, "b": 44},
        legend={"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top", "itemsizing": "constant"},
        hoverlabel={"align": "left"},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": BLUE},
    )
    figure.update_xaxes(automargin=True, title_standoff=8, zeroline=False)
    figure.update_yaxes(automargin=True, title_standoff=8, zeroline=False)
    return Drawing(title, caption, figure, name, height)


def errors(accuracies: Iterable[float]) -> list[float]:
    """Where accuracies stand on the axis that `accuracy_axis` describes."""
    return [max(1 - accuracy, FLOOR) for accuracy in accuracies]


def accuracy_axis(accuracies: Iterable[float], target: float) -> dict[str, Any]:
    """An axis that spreads out the last percent: logarithmic in the error, labelled with the accuracy."""
    shown = errors([*accuracies, target])
    low, high = math.log10(min(shown)) - 0.08, math.log10(max(shown)) + 0.05
    ticks = _ticks(low, high, target)
    return {
        "type": "log",
        "range": [high, low],
        "tickvals": errors(ticks),
        "ticktext": [_label(tick) for tick in ticks],
        "showgrid": True,
    }


def _ticks(low: float, high: float, target: float) -> list[float]:
    """The target, and as many of the round accuracies as leave each other room."""
    chosen = [target]
    room = (high - low) / 9
    for tick in sorted(_TICKS, reverse=True):
        place = math.log10(max(1 - tick, FLOOR))
        others = (math.log10(max(1 - other, FLOOR)) for other in chosen)
        if low <= place <= high and all(abs(place - other) >= room for other in others):
            chosen.append(tick)
    return chosen


def _label(accuracy: float) -> str:
    return f"{100 * accuracy:.2f}".rstrip("0").rstrip(".") + "%"


def epoch_axis(n_epochs: int) -> dict[str, Any]:
    """An axis of epochs, from 1, with whole numbers on it."""
    return {"title": "epoch", "tick0": 1, "dtick": max(1, round(n_epochs / 8))}


def line_mode(n_points: int) -> str:
    """A line, or a dot where a line would have but one point."""
    return "lines" if n_points > 1 else "markers"


def target_line(figure: go.Figure, target: float) -> None:
    """The target as a line across a figure with an axis of accuracies."""
    figure.add_hline(y=max(1 - target, FLOOR), line={"color": GREEN, "width": 1.5, "dash": "dash"})
