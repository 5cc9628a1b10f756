"""Trials: those of a study as they stood at one moment, and what they come to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from optuna.trial import FrozenTrial, TrialState

from search.study import attributes
from search.study.outcomes import PASSED_GATE, REPORTED, Outcome, outcome_of
from search.study.settings import SMALLEST, StudySettings


class Trials:
    """A snapshot, in order of the numbers. It does not change: read another one to see what has happened since."""

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        self.all = trials

    def of(self, *outcomes: Outcome) -> list[FrozenTrial]:
        """The ended trials with one of these outcomes."""
        return [trial for trial in self.all if self._outcomes[trial.number] in outcomes]

    def running(self) -> list[FrozenTrial]:
        """The trials that are in training, or were when their dispatcher was killed."""
        return [trial for trial in self.all if trial.state is TrialState.RUNNING]

    def interrupted(self) -> list[FrozenTrial]:
        """The trials that were stopped half-way, and wait to go on."""
        return [t for t in self.all if t.state is TrialState.WAITING and attributes.CANDIDATE in t.user_attrs]

    def counts(self) -> dict[str, int]:
        """How many trials had each of the reported outcomes."""
        counted = Counter(self._outcomes.values())
        return {str(outcome): counted[outcome] for outcome in REPORTED}

    def n_past_gate(self) -> int:
        """How many candidates passed the gate and have ended: what `--trials` counts."""
        return len(self.of(*PASSED_GATE))

    @cached_property
    def _outcomes(self) -> dict[int, Outcome | None]:
        return {trial.number: outcome_of(trial) for trial in self.all}


def best_of(trained: Iterable[FrozenTrial]) -> FrozenTrial | None:
    """The trained trial with the highest sustained accuracy; of equals the one with the fewest parameters."""
    return max(trained, key=lambda t: (t.value or 0.0, -int(t.user_attrs[attributes.PARAMS])), default=None)


def smallest_of(trained: Iterable[FrozenTrial], target: float) -> FrozenTrial | None:
    """The trained trial with the fewest parameters whose sustained accuracy reached the target."""
    reached = [trial for trial in trained if (trial.value or 0.0) >= target]
    return min(reached, key=lambda t: (t.user_attrs[attributes.PARAMS], -(t.value or 0.0)), default=None)


def front_of(trained: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The trained trials that are more accurate than all with as few parameters, from the smallest up."""
    front: list[FrozenTrial] = []
    for trial in sorted(trained, key=lambda t: (t.user_attrs[attributes.PARAMS], -(t.value or 0.0))):
        if not front or (trial.value or 0.0) > (front[-1].value or 0.0):
            front.append(trial)
    return front


def budget_after(settings: StudySettings, trained: Iterable[tuple[int, float]]) -> int:
    """Parameters that the next candidate must have fewer of, after trained ones of these sizes and accuracies.

    Where the smallest network is searched, those of the smallest that cleared the target by the margin, which is what
    the luck of a single training is worth; else, and until there is one, the study's own budget.
    """
    if settings.find != SMALLEST:
        return settings.max_params
    cleared = (params for params, accuracy in trained if accuracy >= settings.target + settings.margin)
    return min(cleared, default=settings.max_params)
