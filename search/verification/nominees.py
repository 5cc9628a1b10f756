"""Which candidates a verification is about, what they were chosen from, and the target that judges them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna.trial import FrozenTrial

from models.candidate import Candidate
from models.errors import MnistSearchError
from search.study import attributes
from search.study.naming import BEST, Named
from search.study.outcomes import Outcome
from search.study.settings import DEFAULT_SUSTAIN, StudySettings, default_target, with_lengths
from search.study.study import SearchStudy, candidate_of
from search.verification.answer import missed_trials
from search.verification.seeds import TRIAL_EPOCHS
from search.verification.trainings import Entry


@dataclass(frozen=True)
class Nominee:
    """A candidate to verify; of a study's trial, or of a preset or file."""

    entry: Entry
    study: SearchStudy | None = None
    trial: int | None = None
    n_compared: int = 1
    """Candidates among which the search chose it."""

    @property
    def candidate(self) -> Candidate:
        return self.entry.candidate

    @property
    def is_clean(self) -> bool:
        """Whether the test images had no part in choosing it, as far as this program knows."""
        return self.study is None or self.study.settings.split != "test"


def nominee_of(named: Named, epochs: int | None, least: int = 1) -> Nominee:
    """What a name on the command line stands for, to be trained for so many epochs.

    None: as its recipe says, and at least `least`; but for a trial, whose training is short for the search's sake, at
    least 15.
    """
    if named.study is None or named.trial is None:
        return Nominee(Entry(named.label, _lasting(named.candidate, epochs, least)))
    entry = Entry(named.label, _lasting(named.candidate, epochs, max(least, TRIAL_EPOCHS)))
    return Nominee(entry, named.study, named.trial.number, len(named.study.trials(Outcome.TRAINED)))


def top_nominees(study: SearchStudy, n: int, what: str, epochs: int | None, least: int = 1) -> list[Nominee]:
    """The first n trained trials of a study, to be trained as `nominee_of` says.

    Those of `best` are the most accurate, best first. For any other word they are those at the target, from the fewest
    parameters up, without those that fresh seeds have put below it; then the most accurate of the others. Raises
    MnistSearchError if there are not so many.
    """
    least = max(least, TRIAL_EPOCHS)
    trained = study.trials(Outcome.TRAINED)
    if what == BEST:
        trained.sort(key=lambda trial: -(trial.value or 0.0))
    else:
        trained.sort(key=partial(_rank, study.settings.target, {one.trial.number for one in missed_trials(study)}))
    if len(trained) < n:
        raise MnistSearchError(
            f"--top {n}: study {study.name!r} has {len(trained)} trained candidate{'s' * (len(trained) != 1)}: "
            "ask for fewer, or go on with `mnist-search run`"
        )
    return [
        Nominee(Entry(f"trial {t.number}", _lasting(candidate_of(t), epochs, least)), study, t.number, len(trained))
        for t in trained[:n]
    ]


def goal_of(
    named: Named, dataset: str, split: str, epochs: int, given: Mapping[str, float | int | None]
) -> StudySettings:
    """Return target and sustain as given, else the study's, else the default.

    A training that is shorter than the default of `sustain` is judged by all its epochs. Raises MnistSearchError for
    values that are not possible.
    """
    own = {key: getattr(named.study.settings, key) for key in given} if named.study else {}
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    lengths = with_lengths({"epochs": epochs, **chosen}, epochs, own.pop("sustain", DEFAULT_SUSTAIN))
    return StudySettings(dataset, split, **({"target": default_target(dataset)} | own | lengths))


def _rank(target: float, missed: Collection[int], trial: FrozenTrial) -> tuple[bool, float]:
    accuracy = trial.value or 0.0
    if accuracy >= target and trial.number not in missed:
        return False, trial.user_attrs[attributes.PARAMS]
    return True, -accuracy


def _lasting(candidate: Candidate, epochs: int | None, least: int) -> Candidate:
    return candidate.with_epochs(epochs or max(candidate.recipe.epochs, least))
