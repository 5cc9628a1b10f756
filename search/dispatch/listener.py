"""What a search tells whoever watches it."""

from dataclasses import dataclass, field

from optuna.trial import FrozenTrial

from search.study.outcomes import Outcome
from search.study.settings import ACCURACY
from trainer.training.records import EpochRecord
from trainer.workers.messages import Lost, Ready, Slots


@dataclass
class RunningTrial:
    """A candidate in training."""

    number: int
    params: int
    epoch: int = 0
    accuracy: float | None = None
    epoch_share: float = 0.0
    """How much of the next epoch is done, where its worker tells."""
    record: EpochRecord | None = None
    """The last epoch: losses, accuracies, learning rate and seconds."""


@dataclass
class SearchState:
    """The search as it stands: what a live view shows. Changed in place by the dispatcher."""

    study_name: str
    n_total: int
    epochs: int
    target: float
    n_workers: int
    n_slots: int
    """Candidates trained at once, by all workers together."""
    counts: dict[str, int]
    n_done: int = 0
    """Candidates past the gate that have ended, in the study as a whole."""
    n_done_before: int = 0
    """Those of them that had ended before this session."""
    session_seconds: float = 0.0
    """Time in which the machine was suspended is left out."""
    best: FrozenTrial | None = None
    smallest: FrozenTrial | None = None
    find: str = ACCURACY
    """What is looked for: the study's setting."""
    budget: int = 0
    """Parameters that the next candidate must have fewer of."""
    exhausted: str = ""
    """Why no smaller candidate is to be had, where a search for the smallest ended with that."""
    running: dict[int, RunningTrial] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float | None:
        """An estimate from this session's pace; None before the first candidate has ended."""
        n_here = self.n_done - self.n_done_before
        return self.session_seconds / n_here * (self.n_total - self.n_done) if n_here else None


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over; `accuracy` is the sustained one of a trained, the last one of a pruned candidate."""

    number: int
    outcome: Outcome
    params: int
    accuracy: float | None
    epochs: int
    seconds: float
    reason: str = ""


class Listener:
    """Hears of everything; does nothing by itself."""

    def started(self, state: SearchState) -> None:
        """The search begins."""

    def worker_ready(self, state: SearchState, worker: Ready) -> None:
        """A worker has its data and begins; `state` counts its slots already."""

    def slots_fell(self, state: SearchState, worker: Slots) -> None:
        """A worker has memory for fewer trainings than it began with."""

    def worker_lost(self, state: SearchState, worker: Lost) -> None:
        """A worker is gone, and another one starts."""

    def waiting(self, state: SearchState, text: str) -> None:
        """The database fails in a way that passes, or works again; the text says which, in one line."""

    def changed(self, state: SearchState) -> None:
        """Something moved: an epoch, a new candidate, the clock."""

    def epoch(self, state: SearchState, trial: RunningTrial) -> None:
        """An epoch of a trial is over."""

    def ended(self, state: SearchState, trial: TrialEnded) -> None:
        """A trial is over."""

    def stopped(self, state: SearchState) -> None:
        """The search is over."""
