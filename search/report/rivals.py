"""Other studies that asked the same question, set beside this one: what the sampler is worth."""

from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from models.errors import MnistSearchError
from search.cli.tables import percent
from search.outcomes import PASSED_GATE, Outcome, outcome_of
from search.report.figures_search import rising
from search.report.look import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, Drawing, accuracy_axis, draw, errors, target_line
from search.settings import StudySettings
from search.study import SearchStudy, open_study, study_names
from storage.sessions import active_seconds

_SAME = ("dataset", "split", "max_params", "epochs", "sustain")
_COLOURS = (BLUE, ORANGE, PURPLE, RED, GREY, GREEN)


@dataclass(frozen=True)
class Arm:
    """A study in the comparison. `accuracies` are those of the candidates past the gate, 0 for one not trained."""

    name: str
    settings: StudySettings
    counts: dict[str, int]
    accuracies: list[float]
    best: float | None
    best_params: int | None
    smallest_params: int | None
    seconds: float

    @property
    def n_past_gate(self) -> int:
        """Candidates that passed the gate and have ended."""
        return len(self.accuracies)

    def best_after(self, n: int) -> float:
        """The best sustained accuracy among the first `n` candidates."""
        return max(self.accuracies[:n], default=0.0)


def find_arms(study: SearchStudy) -> list[Arm]:
    """This study, then all others of its storage with the same data, split, budget and length of training."""
    arms = [_arm(study, study.settings.target)]
    for name in study_names(study.store):
        if name == study.name:
            continue
        try:
            other = open_study(study.store, name)
        except MnistSearchError:  # made by another program, or by a newer one
            continue
        if all(getattr(other.settings, key) == getattr(study.settings, key) for key in _SAME):
            arms.append(_arm(other, study.settings.target))
    return [arms[0], *(arm for arm in arms[1:] if arm.n_past_gate)]


def _arm(study: SearchStudy, target: float) -> Arm:
    past = study.trials(*PASSED_GATE)
    trained = [trial for trial in past if outcome_of(trial) is Outcome.TRAINED]
    best = study.best_of(trained)
    at_target = [trial.user_attrs["params"] for trial in trained if (trial.value or 0.0) >= target]
    return Arm(
        name=study.name,
        settings=study.settings,
        counts=study.counts(),
        accuracies=[(t.value or 0.0) if outcome_of(t) is Outcome.TRAINED else 0.0 for t in past],
        best=best.value if best else None,
        best_params=best.user_attrs["params"] if best else None,
        smallest_params=min(at_target, default=None),
        seconds=active_seconds(study.store.engine, study.study_id),
    )


def worth(arms: list[Arm]) -> str:
    """After as many candidates as every arm has, what the best of each came to."""
    n = min(arm.n_past_gate for arm in arms)
    told = "; ".join(f"{arm.name} ({arm.settings.sampler}) {percent(arm.best_after(n))}" for arm in arms)
    spaces = {tuple(sorted(arm.settings.space.items())) for arm in arms}
    unlike = " Their ranges differ." if len(spaces) > 1 else ""
    return f"The best after {n:,} candidates each: {told}. Each arm is a single search: luck is in it.{unlike}"


def race(arms: list[Arm], target: float) -> Drawing:
    """The best so far of each arm, over the candidates that passed the gate."""
    figure = go.Figure()
    shown: list[float] = []
    for i, arm in enumerate(arms):
        steps = [(x, y) for x, y in rising(range(1, arm.n_past_gate + 1), arm.accuracies) if y > 0]
        shown += [y for _, y in steps]
        _add_arm(figure, arm, steps, _COLOURS[i % len(_COLOURS)])
    target_line(figure, target)
    figure.update_layout(xaxis_title="candidates past the gate", yaxis=accuracy_axis(shown, target))
    caption = "The best sustained accuracy so far of every study in this storage that asked the same question."
    return draw(figure, "The arms side by side", caption, name="arms")


def _add_arm(figure: go.Figure, arm: Arm, steps: list[tuple[int, float]], colour: str) -> None:
    # plotly reads a name as HTML of its own, and a study may be called anything.
    line: dict[str, Any] = {"color": colour, "width": 2.5, "shape": "hv"}
    figure.add_scatter(
        x=[x for x, _ in steps], y=errors(y for _, y in steps), mode="lines", line=line, showlegend=True,
        name=escape(f"{arm.name} ({arm.settings.sampler})"), customdata=[percent(y) for _, y in steps],
        hovertemplate="candidate %{x}: %{customdata}<extra></extra>",
    )  # fmt: skip
