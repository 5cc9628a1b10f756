"""Intake: asks for candidates until one may be trained."""

from collections.abc import Callable

import optuna

from models.candidate import Candidate
from models.errors import MnistSearchError
from search.dispatch.gate import mark_budget, rejection_reason
from search.dispatch.ledger import Ledger
from search.study import attributes
from search.study.outcomes import PASSED_GATE, Outcome
from search.study.study import SearchStudy

MAX_MISSES = 300
"""Rejections and duplicates in a row after which a search gives up."""


class Intake:
    """Draws candidates of a study; the rejected and the repeated ones are recorded and passed over."""

    def __init__(self, study: SearchStudy, ledger: Ledger) -> None:
        self._study = study
        self._ledger = ledger
        self.n_rejected = len(study.trials(Outcome.REJECTED))
        """Rejected candidates of the study, kept up to date."""
        self._known = {
            trial.user_attrs[attributes.CANDIDATE_ID]
            for trial in study.trials(*PASSED_GATE)
            if attributes.CANDIDATE_ID in trial.user_attrs
        }

    def next(self, should_stop: Callable[[], bool]) -> tuple[optuna.Trial, Candidate] | None:
        """A trial with a candidate that passed the gate and was not there before; None once `should_stop()`.

        Raises MnistSearchError, naming the range to narrow, after MAX_MISSES draws without one.
        """
        smallest_miss = None
        for _ in range(MAX_MISSES):
            if should_stop():
                return None
            trial = self._study.optuna.ask()
            candidate = self._sample(trial)
            if not mark_budget(trial, candidate, self._study.settings.max_params):
                reason = rejection_reason(candidate.arch.params, self._study.settings.max_params)
                self._ledger.end(trial, Outcome.REJECTED, reason=reason)
                self.n_rejected += 1
                smallest_miss = min(smallest_miss or candidate.arch.params, candidate.arch.params)
            elif candidate.id in self._known:
                self._ledger.end(trial, Outcome.DUPLICATE, reason="an equal candidate has already ended")
            else:
                self._known.add(candidate.id)
                return trial, candidate
        raise MnistSearchError(self._exhausted(smallest_miss))

    def _sample(self, trial: optuna.Trial) -> Candidate:
        given = trial.user_attrs.get(attributes.GIVEN)
        epochs = self._study.settings.epochs
        candidate = Candidate.from_dict(given) if given else self._study.space.sample(trial, epochs)
        trial.set_user_attr(attributes.CANDIDATE, candidate.to_dict())
        trial.set_user_attr(attributes.CANDIDATE_ID, candidate.id)
        trial.set_user_attr(attributes.PARAMS, candidate.arch.params)
        trial.set_user_attr(attributes.MACS, candidate.arch.macs)
        return candidate

    def _exhausted(self, smallest_miss: int | None) -> str:
        if smallest_miss is None:
            return f"{MAX_MISSES} draws in a row repeated earlier candidates: the space is exhausted; widen a range"
        name = self._study.space.range_to_narrow()
        return (
            f"{MAX_MISSES} draws in a row gave no new candidate under {self._study.settings.max_params:,} parameters "
            f"(the smallest rejected has {smallest_miss:,}): narrow {name}, now "
            f"{self._study.space.ranges[name].text()}, in another --study"
        )
