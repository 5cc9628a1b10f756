"""Other studies that asked the same question, set beside this one: what the sampler is worth."""

from html import escape
from typing import Any

import plotly.graph_objects as go

from models.errors import MnistSearchError
from search.facts.study_comparison import are_comparable, best_so_far
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
from search.report.figures.search import rising
from search.study.study import SearchStudy, open_study, study_names
from storage.errors import StorageError

_COLOURS = (BLUE, ORANGE, PURPLE, RED, GREY, GREEN)


def find_arms(study: SearchStudy) -> list[SearchStudy]:
    """This study, then all others of its storage that asked the same and in which a candidate has ended."""
    others = [_comparable(study, name) for name in study_names(study.store) if name != study.name]
    return [study, *(one for one in others if one is not None)]


def _comparable(study: SearchStudy, name: str) -> SearchStudy | None:
    try:
        other = open_study(study.store, name)
        return other if are_comparable(other, study) and other.n_past_gate() else None
    except (MnistSearchError, StorageError):  # made by another program, or by a newer one, or damaged
        return None


def worth(arms: list[dict[str, Any]]) -> str:
    """After as many candidates as every arm has, what the best of each came to; `arms` as `compare_studies` says."""
    told = "; ".join(f"{arm['study']} ({arm['sampler']}) {percent(arm['best_after'])}" for arm in arms)
    return (
        f"The best among the first {arms[0]['n_compared']:,} candidates of each: {told}. "
        "Each is a single search, so luck is in it."
    )


def best_so_far_figure(arms: list[SearchStudy]) -> Drawing:
    """The best so far of each arm, over the candidates that passed the gate."""
    figure = go.Figure()
    target = arms[0].settings.target
    shown: list[float] = []
    for i, arm in enumerate(arms):
        curve = best_so_far(arm)
        reached = [(n, accuracy) for n, accuracy in enumerate(curve, 1) if accuracy is not None]
        steps = rising([n for n, _ in reached], [accuracy for _, accuracy in reached])
        shown += [accuracy for _, accuracy in steps]
        _add_arm(figure, arm, steps, _COLOURS[i % len(_COLOURS)])
    target_line(figure, target)
    figure.update_layout(xaxis_title="candidates past the gate", yaxis=accuracy_axis(shown, target))
    caption = "The best sustained accuracy so far of every study in this storage that asked the same question."
    return draw(figure, "The best so far of each", caption, name="arms")


def _add_arm(figure: go.Figure, arm: SearchStudy, steps: list[tuple[float, float]], colour: str) -> None:
    # plotly reads a name as HTML of its own, and a study may be called anything.
    figure.add_scatter(
        x=[x for x, _ in steps], y=errors(y for _, y in steps), mode="lines", showlegend=True,
        line={"color": colour, "width": 2.5, "shape": "hv"}, name=escape(f"{arm.name} ({arm.settings.sampler})"),
        customdata=[percent(y) for _, y in steps],
        hovertemplate="candidate %{x}: %{customdata}<extra></extra>",
    )  # fmt: skip
