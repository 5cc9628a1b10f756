"""The answer of a study: the trial that every command names, and takes unless it is given another."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from optuna.trial import FrozenTrial

from models.errors import MnistSearchError
from search.measures.verdict import Verdict
from search.measures.words import percent, plural
from search.study import attributes
from search.study.naming import Named, find_candidate
from search.study.outcomes import Outcome
from search.study.study import SearchStudy, candidate_of
from search.study.trials import smallest_of
from search.verification.judged import Judged, judge, records_of
from storage.verifications import Verification

ANSWER = "answer"
"""The word for it on the command line."""


class Standing(StrEnum):
    """Why a trial is the answer, the strongest reason first; the value is what `--json` has."""

    VERIFIED = "verified"
    AT_TARGET_WITH_MARGIN = "at_target_with_margin"
    AT_TARGET = "at_target"
    BELOW_TARGET = "below_target"


@dataclass(frozen=True)
class Answer:
    """A trial of a study and what is known of it."""

    trial: FrozenTrial
    standing: Standing
    verified: Judged | None
    """Its latest verification by the study's own target; None if it has none."""
    missed: tuple[Judged, ...] = ()
    """Verified trials that are not the answer because fresh seeds put them below the target."""
    is_clean: bool = True
    """Whether the test images had no part in the search."""

    @property
    def text(self) -> str:
        """What the answer rests on, such as `not verified: one training`."""
        below = "below the target; " if self.standing is Standing.BELOW_TARGET else ""
        chosen = "" if self.is_clean else "; not clean: the test images chose it"
        if self.verified is None:
            return f"{below}not verified: one training{chosen}"
        summary = self.verified.summary
        verdict = Verdict(summary["verdict"]).words
        mean = f"{percent(summary['sustained_accuracy'])} over {plural(summary['n_seeds'], 'fresh seed')}"
        return f"{verdict}: {mean}{chosen}"

    @property
    def line(self) -> str:
        """The answer on one line, for a command that takes it without being told which trial to take."""
        return (
            f"answer: trial {self.trial.number}, {self.trial.user_attrs[attributes.PARAMS]:,} parameters; {self.text}"
        )


def find_answer(study: SearchStudy) -> Answer | None:
    """Return the answer of a study; None while nothing is trained.

    It is the smallest verified network; else the smallest whose sustained accuracy is at the target and the margin
    above it, since a single training flatters; else the smallest at the target; else the most accurate. A network that
    fresh seeds put below the target is not at the target, whatever its training in the search reached.
    """
    judged = judged_trials(study)
    is_clean = study.settings.split != "test"
    if judged and judged[0].summary["verified"]:
        return Answer(judged[0].trial, Standing.VERIFIED, judged[0], is_clean=is_clean)
    missed = _missed(judged)
    found = _by_training(study, {one.trial.number for one in missed})
    if found is None:
        return None
    trial, standing = found
    verified = next((one for one in judged if one.trial.number == trial.number), None)
    others = tuple(one for one in missed if one is not verified)
    return Answer(trial, standing, verified, others, is_clean)


def _by_training(study: SearchStudy, missed: set[int]) -> tuple[FrozenTrial, Standing] | None:
    """The answer of a study without a verified network; `missed` are the numbers of trials below the target."""
    target, margin = study.settings.target, study.settings.margin
    trained = [trial for trial in study.trials(Outcome.TRAINED) if trial.number not in missed]
    for accuracy, standing in ((target + margin, Standing.AT_TARGET_WITH_MARGIN), (target, Standing.AT_TARGET)):
        trial = smallest_of(trained, accuracy)
        if trial is not None:
            return trial, standing
    best = study.best()
    return None if best is None else (best, Standing.BELOW_TARGET)


def missed_trials(study: SearchStudy) -> list[Judged]:
    """Return the verified trials that fresh seeds put below the target."""
    return _missed(judged_trials(study))


def judged_trials(study: SearchStudy) -> list[Judged]:
    """Return the latest verification of each trial, by the study's own target: the verified first, smallest first.

    Those that are not verified follow by accuracy. A verification of a mean over other last epochs than the study's is
    left out.
    """
    asked = [one for one in records_of(study) if _asks_the_same(study, one)]
    judged = (judge(study, one, study.settings.target) for one in asked)
    latest = {(one.trial.number, one.record.candidate_id): one for one in judged if one is not None}
    return sorted(latest.values(), key=_rank)


def find_named(what: str, find_study: Callable[[], SearchStudy]) -> tuple[Named, Answer | None]:
    """Return the candidate that a WHAT of the command line names, and the answer of its study if WHAT asks for that.

    Raises MnistSearchError if nothing has that name.
    """
    if what != ANSWER:
        return find_candidate(what, find_study), None
    study = find_study()
    answer = find_answer(study)
    if answer is None:
        raise MnistSearchError(f"no candidate of study {study.name!r} has trained yet: go on with `mnist-search run`")
    named = Named(f"trial {answer.trial.number}", candidate_of(answer.trial), study, answer.trial)
    return named, answer


def _missed(judged: list[Judged]) -> list[Judged]:
    return [one for one in judged if Verdict(one.summary["verdict"]) in (Verdict.BELOW_TARGET, Verdict.REFUTED)]


def _asks_the_same(study: SearchStudy, one: Verification) -> bool:
    asked = (one.dataset, one.summary and one.summary["sustain"])
    return asked == (study.settings.dataset, study.settings.sustain)


def _rank(one: Judged) -> tuple[Any, ...]:
    params, accuracy = one.trial.user_attrs[attributes.PARAMS], one.summary["sustained_accuracy"]
    return (0, params, -accuracy) if one.summary["verified"] else (1, -accuracy, params)
