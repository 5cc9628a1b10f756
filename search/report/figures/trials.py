"""Figures that show trials one by one: parallel coordinates, accuracies by epoch, the time line."""

import statistics
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import optuna
import plotly.colors
import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial

from search.measures.words import percent, seconds_text
from search.report.figures.look import (
    BLUE,
    COLOURS,
    GREY,
    RED,
    Drawing,
    accuracy_axis,
    draw,
    epoch_axis,
    errors,
    line_mode,
    target_line,
)
from search.report.figures.sample import as_study, sample_note, thinned
from search.study.outcomes import PASSED_GATE, Outcome, outcome_of
from search.study.settings import StudySettings

_N_COORDINATES = 5
"""Values beside the accuracy: so many have room on a phone."""
_SCALE = [[0, GREY], [0.6, BLUE], [1, RED]]


def parallel(trained: Sequence[FrozenTrial], by_weight: Sequence[str]) -> Drawing | None:
    """The values of trained trials as lines across axes; None if no value is common to two trials or more."""
    sampled = [trial for trial in trained if trial.params]  # a warm start has a candidate, and no values of ranges
    drawn = thinned(sampled)
    names = [name for name in by_weight if all(name in trial.params for trial in drawn)][:_N_COORDINATES]
    if len(drawn) < 2 or not names:
        return None
    # One bad trial would take the whole scale of colours for itself.
    floor = statistics.quantiles([trial.value or 0.0 for trial in drawn], n=20, method="inclusive")[0]
    with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
        study = as_study(drawn, floor)
        figure = optuna.visualization.plot_parallel_coordinate(study, names, target_name="accuracy, %")
    accuracies = [trial.value or 0.0 for trial in study.get_trials(deepcopy=False)]
    _recolour(figure, accuracies)
    _tell_accuracies_apart(figure, accuracies)
    ordered = sorted(names)
    labels = ["accuracy,<br>%", *(name.replace("_", "<br>") for name in ordered)]
    figure.update_layout(xaxis={"tickvals": list(range(len(labels))), "ticktext": labels})
    caption = (
        "Each line is a trained network; the redder, the more accurate. Where the red lines meet, the search "
        f"found its answer. The {len(names)} most important values that every trial has; "
        f"accuracies below {percent(floor)} are drawn there."
    ) + sample_note(len(drawn), len(sampled), "trained trials")
    if len(sampled) < len(trained):
        caption += " Networks that the search was given have no such values."
    return draw(figure, "Which values went together", caption, name="parallel", right=40)


def _recolour(figure: go.Figure, accuracies: Sequence[float]) -> None:
    """Other colours than Optuna's, whose darkest and palest each vanish on one of the page's two backgrounds."""
    low, high = min(accuracies), max(accuracies)
    shares = [(accuracy - low) / ((high - low) or 1) for accuracy in accuracies]
    colours = plotly.colors.sample_colorscale(_SCALE, shares)
    *lines, _bar = figure.data
    figure.data = lines  # without the bar of colours: the first axis has the same numbers
    for line, colour in zip(lines, colours, strict=True):
        line.update(line={"color": colour, "width": 1.3}, opacity=0.7)


def _tell_accuracies_apart(figure: go.Figure, accuracies: Sequence[float]) -> None:
    """Two decimals along the first axis, where Optuna's three digits make 99.17 and 99.24 the same."""
    low, high = min(accuracies), max(accuracies)
    for note in figure.layout.annotations:
        if note.x == 0:
            note.text = f"{low + note.y * (high - low):.2f}"


def intermediate(trials: Iterable[FrozenTrial], settings: StudySettings, winner_number: int | None) -> Drawing | None:
    """The accuracy of each trial after each epoch, and where the pruner stopped it; None if none was reported."""
    reported = [trial for trial in trials if trial.intermediate_values and outcome_of(trial) in PASSED_GATE]
    if not reported:
        return None
    drawn = thinned(reported)
    figure = go.Figure()
    for outcome in (Outcome.PRUNED, Outcome.DIVERGED, Outcome.FAILED, Outcome.TRAINED):
        _add_lines(figure, [trial for trial in drawn if outcome_of(trial) is outcome], outcome)
    winners = [trial for trial in reported if trial.number == winner_number]
    for winner in winners:
        x, y = zip(*sorted(winner.intermediate_values.items()), strict=True)
        figure.add_scatter(
            x=x, y=errors(y), mode=line_mode(len(x)), name="winner", line={"color": RED, "width": 3}, hoverinfo="skip"
        )
    target_line(figure, settings.target)
    shown = [value for trial in drawn for value in trial.intermediate_values.values()]
    figure.update_layout(xaxis=epoch_axis(settings.epochs), yaxis=accuracy_axis(shown, settings.target))
    caption = (
        "Each line is a trial; a cross marks where the pruner stopped one that lagged behind the median of the others."
    )
    caption += sample_note(len(drawn), len(reported), "trials")
    return draw(figure, "Accuracy by epoch, the pruned ones too", caption, name="intermediate", height=480)


def _add_lines(figure: go.Figure, trials: Sequence[FrozenTrial], outcome: Outcome) -> None:
    """All lines of an outcome as one trace with gaps: hundreds of traces would make a slow page."""
    if not trials:
        return
    x: list[int | None] = []
    y: list[float | None] = []
    labels: list[list[str]] = []
    ends: list[tuple[int, float]] = []
    for trial in trials:
        epochs, accuracies = zip(*sorted(trial.intermediate_values.items()), strict=True)
        x += [*epochs, None]
        y += [*errors(accuracies), None]
        labels += [[str(trial.number), percent(accuracy)] for accuracy in accuracies] + [["", ""]]
        ends.append((epochs[-1], errors(accuracies)[-1]))
    colour, mode = COLOURS[outcome], line_mode(max(epoch for epoch, _ in ends))
    figure.add_scatter(
        x=x, y=y, mode=mode, name=outcome, legendgroup=outcome, line={"color": colour, "width": 1}, opacity=0.55,
        customdata=labels, hovertemplate="trial %{customdata[0]}, epoch %{x}: %{customdata[1]}<extra></extra>",
    )  # fmt: skip
    if outcome is not Outcome.TRAINED:
        figure.add_scatter(
            x=[epoch for epoch, _ in ends], y=[error for _, error in ends], mode="markers", showlegend=False,
            legendgroup=outcome, marker={"color": colour, "symbol": "x", "size": 6}, hoverinfo="skip",
        )  # fmt: skip


def timeline(trials: Iterable[FrozenTrial]) -> Drawing | None:
    """When each trial ran, coloured by how it ended; None if none has."""
    ended = [t for t in trials if t.datetime_start and t.datetime_complete and outcome_of(t)]
    if not ended:
        return None
    figure = go.Figure()
    for outcome in sorted(Outcome, key=lambda outcome: outcome in PASSED_GATE):  # bars on top of marks
        those = [trial for trial in ended if outcome_of(trial) is outcome]
        if those:
            (_add_bars if outcome in PASSED_GATE else _add_ticks)(figure, those, outcome)
    figure.update_layout(xaxis={"title": "time (UTC)", "type": "date"}, yaxis_title="trial", bargap=0.15)
    caption = "Each bar is a trial, from its start to its end; those that were not trained are marks without a length."
    return draw(figure, "When what ran", caption, name="timeline")


def _add_bars(figure: go.Figure, trials: Sequence[FrozenTrial], outcome: Outcome) -> None:
    seconds = [(_end(trial) - _start(trial)).total_seconds() for trial in trials]
    figure.add_bar(
        orientation="h", name=outcome, y=[trial.number for trial in trials], x=[1000 * s for s in seconds],
        base=[_start(trial).isoformat(timespec="milliseconds") for trial in trials],
        marker={"color": COLOURS[outcome], "line": {"width": 0}}, customdata=[seconds_text(s) for s in seconds],
        hovertemplate="trial %{y}: %{customdata}<extra></extra>",
    )  # fmt: skip


def _add_ticks(figure: go.Figure, trials: Sequence[FrozenTrial], outcome: Outcome) -> None:
    size = 5 if len(trials) < 200 else 3
    figure.add_scatter(
        x=[_start(trial).isoformat(timespec="milliseconds") for trial in trials], y=[t.number for t in trials],
        mode="markers", name=outcome, marker={"color": COLOURS[outcome], "size": size, "symbol": "diamond"},
        hovertemplate="trial %{y}<extra></extra>",
    )  # fmt: skip


def _start(trial: FrozenTrial) -> datetime:
    assert trial.datetime_start is not None
    return _utc(trial.datetime_start)


def _end(trial: FrozenTrial) -> datetime:
    assert trial.datetime_complete is not None
    return _utc(trial.datetime_complete)


def _utc(time: datetime) -> datetime:
    """A trial's time is of the reader's zone, and a report is read in others."""
    return time.astimezone(UTC).replace(tzinfo=None)
