"""Intake: draws candidates, one at a time, and says which may be trained."""

import optuna

from models.candidate import Candidate
from models.errors import MnistSearchError
from search.dispatch.gate import mark_budget, rejection_reason
from search.dispatch.ledger import Ledger
from search.dispatch.live import LiveTrial
from search.dispatch.mirror import StudyMirror
from search.study import attributes
from search.study.outcomes import PASSED_GATE, Outcome
from search.study.study import SearchStudy
from storage.patience import Patience

MAX_MISSES = 300
"""Rejections and duplicates in a row after which a search gives up."""


class Intake:
    """Draws candidates of a study; the rejected and the repeated ones are recorded and passed over."""

    def __init__(self, study: SearchStudy, mirror: StudyMirror, ledger: Ledger, patience: Patience) -> None:
        self._study = study
        self._patiently = patience.call
        self._mirror = mirror
        self._ledger = ledger
        self.n_rejected = len(study.trials(Outcome.REJECTED))
        """Rejected candidates of the study, kept up to date."""
        self._known = {
            trial.user_attrs[attributes.CANDIDATE_ID]
            for trial in study.trials(*PASSED_GATE)
            if attributes.CANDIDATE_ID in trial.user_attrs
        }
        self._n_misses = 0
        self._smallest_miss: int | None = None

    def may_draw(self) -> bool:
        """Whether a draw need not wait for trainings to end."""
        return self._mirror.may_ask()

    @property
    def budget(self) -> int:
        """Parameters that the next candidate must have fewer of."""
        return self._mirror.budget()

    def draw(self) -> LiveTrial | None:
        """A trial whose candidate passed the gate and is new; None if this draw was a miss: ask again.

        Raises MnistSearchError, naming the range to narrow, after MAX_MISSES misses in a row.
        """
        if self._n_misses == MAX_MISSES:
            raise MnistSearchError(self._exhausted())
        shadow = self._patiently(self._mirror.ask)
        if not self._ledger.claim(shadow):
            return None
        try:
            candidate = self._candidate(shadow)
        except (ValueError, MnistSearchError) as error:
            if self._mirror.row(shadow) is None:
                raise
            self.n_rejected += 1  # what somebody has queued may hold anything
            self._n_misses += 1
            self._ledger.refuse(shadow, f"what was queued cannot be drawn: {error}")
            return None
        self._mirror.sized(shadow, candidate.arch.params)
        is_past_gate = attributes.CANDIDATE in shadow.user_attrs
        budget = self.budget
        if not is_past_gate and not mark_budget(shadow, candidate, budget):
            self._reject(shadow, candidate, budget)
        elif candidate.id in self._known:
            self._n_misses += 1
            self._ledger.miss(shadow, candidate, Outcome.DUPLICATE, "an equal candidate has already ended")
        else:
            self._n_misses, self._smallest_miss = 0, None
            self._known.add(candidate.id)
            self._mirror.passed(shadow)
            return self._ledger.begin(shadow, candidate)
        return None

    def _candidate(self, shadow: optuna.Trial) -> Candidate:
        attrs = shadow.user_attrs
        given = attrs.get(attributes.CANDIDATE)  # it was in training before
        given = given or attrs.get(attributes.GIVEN)
        return Candidate.from_dict(given) if given else self._study.space.sample(shadow, self._study.settings.epochs)

    def _reject(self, shadow: optuna.Trial, candidate: Candidate, budget: int) -> None:
        n_params = candidate.arch.params
        self.n_rejected += 1
        self._n_misses += 1
        self._smallest_miss = min(self._smallest_miss or n_params, n_params)
        reason = rejection_reason(n_params, budget)
        self._ledger.miss(shadow, candidate, Outcome.REJECTED, reason)

    def _exhausted(self) -> str:
        if self._smallest_miss is None:
            return f"{MAX_MISSES} draws in a row repeated earlier candidates: the space is exhausted; widen a range"
        name = self._study.space.range_to_narrow()
        return (
            f"{MAX_MISSES} draws in a row gave no new candidate under {self.budget:,} parameters "
            f"(the smallest rejected has {self._smallest_miss:,}): narrow {name}, now "
            f"{self._study.space.ranges[name].text()}, in another --study"
        )
