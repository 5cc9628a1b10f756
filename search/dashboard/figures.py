"""The figures of a study on its page: accuracy against parameters, the best over time, how the trials ended."""

from collections.abc import Sequence

import plotly.graph_objects as go
from optuna.trial import FrozenTrial

from search.report.figures.look import COLOURS, GREY, Drawing, draw
from search.report.figures.sample import thinned
from search.report.figures.search import pareto, progress
from search.report.winner import Winner
from search.study import attributes
from search.study.outcomes import REPORTED, Outcome
from search.study.study import SearchStudy
from search.study.trials import front_of

_MOST_BARS = 25
_HEIGHT = 450
"""In pixels: that of the box which optuna-dashboard gives a figure."""


def figure_texts(study: SearchStudy, winner: Winner | None) -> list[dict[str, str]]:
    """The figures as optuna-dashboard's page takes them: an id and a plotly figure in JSON each."""
    trained = study.trials(Outcome.TRAINED)
    drawings = [pareto(_telling(trained), study.settings, winner), _over_time(study)] if trained else []
    if study.trials(*REPORTED):
        drawings.append(_outcomes(study))
    return [{"id": drawing.name, "graph_object": _as_shown_there(drawing)} for drawing in drawings]


def _as_shown_there(drawing: Drawing) -> str:
    """A figure with its title in it, in a colour that can be read on white and on black: nothing tells which it is."""
    figure = drawing.figure
    figure.update_layout(
        title={"text": drawing.title, "x": 0.01, "font": {"size": 16}}, height=_HEIGHT, margin={"t": 46}
    )
    figure.update_layout(font={"color": GREY})
    figure.update_xaxes(gridcolor="rgba(138, 148, 166, 0.25)", linecolor=GREY)
    figure.update_yaxes(gridcolor="rgba(138, 148, 166, 0.25)", linecolor=GREY)
    return str(figure.to_json(validate=False))


def _telling(trained: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those that are drawn where all would be too many: a sample, and all that no smaller network beats."""
    front = {trial.number for trial in front_of(trained)}
    chosen = front | {trial.number for trial in thinned(trained)}
    return [trial for trial in trained if trial.number in chosen]


def _over_time(study: SearchStudy) -> Drawing:
    """The sustained accuracy of the trained over the time that the search took, and the best so far."""
    trained = [t for t in study.trials(Outcome.TRAINED) if attributes.ACTIVE_SECONDS in t.user_attrs]
    trained.sort(key=lambda trial: float(trial.user_attrs[attributes.ACTIVE_SECONDS]))
    minutes = [float(trial.user_attrs[attributes.ACTIVE_SECONDS]) / 60 for trial in trained]
    figure = progress(trained, minutes, study.settings.target, {trial.number for trial in _telling(trained)})
    figure.update_layout(xaxis_title="minutes of work on the study")
    return draw(figure, "Sustained accuracy over time", "", name="over-time")


def _outcomes(study: SearchStudy) -> Drawing:
    """How the trials ended, in groups of as many numbers each."""
    ended = {str(outcome): [trial.number for trial in study.trials(outcome)] for outcome in REPORTED}
    last = max(max(numbers) for numbers in ended.values() if numbers)
    width = -(-(last + 1) // _MOST_BARS)
    figure = go.Figure()
    for outcome in REPORTED:
        numbers = ended[str(outcome)]
        if not numbers:
            continue
        heights = [0] * (last // width + 1)
        for number in numbers:
            heights[number // width] += 1
        figure.add_bar(
            x=[(i + 0.5) * width - 0.5 for i in range(len(heights))], y=heights, width=0.9 * width,
            name=f"{outcome} ({len(numbers):,})", marker={"color": COLOURS[outcome]},
            hovertemplate="%{y} " + str(outcome) + "<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="stack",
        bargap=0.05,
        xaxis_title="trial",
        yaxis={"title": f"of {width} trials" if width > 1 else "trials"},
    )
    return draw(figure, "How the trials ended", "", name="outcomes")
