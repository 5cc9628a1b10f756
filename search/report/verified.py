"""Which verified candidate of a study a reader would take home."""

from typing import Any

from search.study import attributes
from search.study.study import SearchStudy
from search.verification.judged import Judged, judge, records_of
from storage.verifications import Verification


def verified_trials(study: SearchStudy) -> list[Judged]:
    """The candidates trained with fresh seeds: those verified first, the smallest before all; then by accuracy.

    They are judged by the study's own target. A verification that asked for a mean over other last epochs than the
    study does is left out.
    """
    asked = [one for one in records_of(study) if _asks_the_same(study, one)]
    judged = (judge(study, one, study.settings.target) for one in asked)
    latest = {(one.trial.number, one.record.candidate_id): one for one in judged if one is not None}
    return sorted(latest.values(), key=_rank)


def _asks_the_same(study: SearchStudy, one: Verification) -> bool:
    asked = (one.dataset, one.summary and one.summary["sustain"])
    return asked == (study.settings.dataset, study.settings.sustain)


def _rank(one: Judged) -> tuple[Any, ...]:
    params, accuracy = one.trial.user_attrs[attributes.PARAMS], one.summary["sustained_accuracy"]
    return (0, params, -accuracy) if one.summary["verified"] else (1, -accuracy, params)
