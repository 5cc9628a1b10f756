"""Window: what a deterministic study lets a candidate's draw and its pruner know, whatever has come in by then.

Which trainings end first is a matter of luck where several go on at once. So a candidate is drawn when all before it
but the last few have ended, and of those few nothing is known, whether they have ended or not.
"""

import copy

from optuna.trial import FrozenTrial, TrialState

from search.dispatch.seen import See


class Window:
    """The candidates past the gate, by the numbers of their trials, in the order of their draws."""

    def __init__(self, width: int) -> None:
        """`width` is how many may be under way at once, as the draws see it: the next one and those before it."""
        self._width = width
        self._drawn: list[int] = []
        self._place: dict[int, int] = {}

    def drawn(self, number: int) -> None:
        """A candidate has passed the gate, or goes on."""
        if number not in self._place:
            self._place[number] = len(self._drawn)
            self._drawn.append(number)

    def known_to_next(self) -> list[int]:
        """Those that must have ended before the next draw, which knows what became of them."""
        return self._known_to(len(self._drawn))

    def hidden_from(self, number: int) -> set[int]:
        """Those of which this candidate's pruner knows nothing."""
        place = self._place.get(number, len(self._drawn))
        return set(self._drawn[len(self._known_to(place)) :])

    def hidden_from_next(self) -> set[int]:
        """Those of which the next draw knows nothing but their candidates."""
        return set(self._drawn[len(self.known_to_next()) :])

    def _known_to(self, place: int) -> list[int]:
        return self._drawn[: max(0, place - self._width + 1)]


def hiding(hidden: set[int]) -> See:
    """Trials as they are seen by what does not know of some: those are in training, however far they are."""

    def see(trials: list[FrozenTrial]) -> list[FrozenTrial]:
        return [_under_way(t) if t.number in hidden and t.state.is_finished() else t for t in trials]

    return see


def _under_way(trial: FrozenTrial) -> FrozenTrial:
    under_way = copy.copy(trial)
    under_way.state, under_way.values, under_way.datetime_complete = TrialState.RUNNING, None, None
    return under_way
