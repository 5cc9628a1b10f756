"""The winner of a study, and the trainings that tell of it."""

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from optuna.trial import FrozenTrial

from models.candidate import Candidate
from search.study import attributes
from search.study.history import epochs_of_trial, gap_of
from search.study.settings import StudySettings
from search.study.study import SearchStudy, candidate_of
from search.verification.answer import find_answer
from search.verification.judged import Judged
from search.verification.single_training import analysis
from trainer.data.split import usual_sizes


@dataclass(frozen=True)
class Winner:
    """The answer of a study, with the epochs of its training. `verified` is None while it has no verification."""

    trial: FrozenTrial
    candidate: Candidate
    trial_epochs: list[dict[str, Any]]
    verified: Judged | None
    missed: tuple[Judged, ...] = ()
    """Other trials that fresh seeds put below the target."""

    @property
    def params(self) -> int:
        """Its trainable parameters."""
        return self.candidate.arch.params

    @property
    def given_as(self) -> str | None:
        """The name of the warm start it was, None of a candidate that the search sampled."""
        return self.trial.user_attrs.get(attributes.WARM_START)

    @property
    def proof(self) -> list[dict[str, Any]]:
        """The runs of its verification that did not diverge; none where there is no verification."""
        return self.verified.finished if self.verified else []

    @property
    def curves(self) -> list[list[dict[str, Any]]]:
        """The epochs of each verification seed; those of the trial where there is no verification."""
        return [run["curves"] for run in self.proof] or [self.trial_epochs]

    @property
    def curve_names(self) -> list[str]:
        """What to call each of the curves."""
        return [f"seed {run['seed_number']}" for run in self.proof] or [f"trial {self.trial.number}"]

    @cached_property
    def accuracy(self) -> float:
        """Its sustained accuracy: the mean over verification seeds, else that of its one training in the search."""
        return float(self.verified.summary["sustained_accuracy"] if self.verified else self.trial.value or 0.0)

    @property
    def train_accuracy(self) -> float | None:
        """The training accuracy of the last epoch, a mean over the trainings; None where it was not copied."""
        gap = self.gap
        return None if gap is None else gap + fmean(float(curve[-1]["eval_accuracy"]) for curve in self.curves)

    @property
    def gap(self) -> float | None:
        """Training minus evaluation accuracy after the last epoch, a mean over the trainings; None as above."""
        gaps = [gap_of(curve) for curve in self.curves]
        return None if None in gaps else fmean(gap for gap in gaps if gap is not None)

    @property
    def best_epoch_accuracy(self) -> float:
        """The best single epoch of all its trainings; it decides nothing."""
        accuracies = (float(record["eval_accuracy"]) for curve in self.curves for record in curve)
        return max(accuracies, default=self.accuracy)

    def analysis(self, settings: StudySettings) -> str:
        """What the gap between training and evaluation says, in the words of `train`."""
        if self.gap is None:
            return "unknown: its training accuracy was not copied with the study"
        n_train, n_evaluation = usual_sizes(settings.dataset, "test" if self.proof else settings.split)
        return analysis(
            {
                "n_train": n_train,
                "n_evaluation": n_evaluation,
                "gap": self.gap,
                "sustained_accuracy": self.accuracy,
                "train_accuracy": self.train_accuracy,
                "target": settings.target,
            }
        )


def find_winner(study: SearchStudy) -> Winner | None:
    """Return the answer of a study (`search/verification/answer.py`); None while nothing is trained."""
    answer = find_answer(study)
    if answer is None:
        return None
    trial, verified = answer.trial, answer.verified
    candidate = candidate_of(trial)
    if verified is not None:  # it may have been verified over another number of epochs
        candidate = candidate.with_epochs(verified.summary["epochs"] or candidate.recipe.epochs)
    return Winner(trial, candidate, epochs_of_trial(study, trial), verified, answer.missed)
