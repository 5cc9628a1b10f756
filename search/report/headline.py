"""Sentences of the report: the answer of a study; the target, results and analysis of its winner."""

from typing import Any

from search.measures import phrases
from search.measures.phrases import dataset_name, interval, judges, spread
from search.measures.verdict import Verdict
from search.measures.words import percent, plural, points
from search.report.winner import Winner
from search.study import attributes
from search.study.settings import SMALLEST, StudySettings
from search.study.study import SearchStudy


def answer(study: SearchStudy, winner: Winner | None) -> str:
    """What came of the search: no more than what was shown."""
    if winner is None:
        return _nothing(study)
    if winner.verified is not None:
        return _proven(study.settings, winner) if winner.verified.summary["verified"] else _unproven(study, winner)
    reached = winner.accuracy >= study.settings.target
    return _found(study, winner) if reached else _missed(study, winner)


def next_step(study: SearchStudy, winner: Winner | None) -> str | None:
    """What is still to be done before the answer may be trusted; None if nothing is."""
    if winner is None:
        return None
    if winner.verified is not None:
        settle = phrases.settle_text(winner.verified.summary)
        return f"{settle[0].upper()}{settle[1:]}." if settle else None
    return (
        "The winner is not verified yet: this is one training, on the images that chose it among "
        f"{plural(study.n_past_gate(), 'candidate')}, which flatters. Fresh seeds and the test images would tell."
        f"{_missed_text(winner)}"
    )


def _missed_text(winner: Winner) -> str:
    """The networks that fresh seeds put below the target; nothing if there are none."""
    told = (
        f"trial {one.trial.number} with {one.trial.user_attrs[attributes.PARAMS]:,} parameters had "
        f"{percent(one.summary['sustained_accuracy'])} over {plural(one.summary['n_seeds'], 'fresh seed')}"
        for one in winner.missed
    )
    return f" Below the target with fresh seeds: {'; '.join(told)}." if winner.missed else ""


def target_text(settings: StudySettings, winner: Winner) -> str:
    """What was asked for."""
    return (
        f"{percent(settings.target)} on {dataset_name(settings.dataset)}, as the mean of the last "
        f"{plural(settings.sustain, 'epoch')}, with fewer than {settings.max_params:,} parameters, "
        f"in {plural(winner.candidate.recipe.epochs, 'epoch')}{_aim(settings)}."
    )


def _aim(settings: StudySettings) -> str:
    return "; and of those the fewest" if settings.find == SMALLEST else ""


def results_text(settings: StudySettings, winner: Winner) -> str:
    """What the winner came to."""
    if winner.verified is None:
        text = (
            f"{winner.params:,} parameters; {percent(winner.accuracy)} sustained on the {judges(settings.split)} "
            f"in one training, best epoch {percent(winner.best_epoch_accuracy)}"
        )
    else:
        s = winner.verified.summary
        text = (
            f"{winner.params:,} parameters; over {plural(s['n_seeds'], 'seed')} {percent(s['sustained_accuracy'])}"
            f"{spread(s['deviation'])} sustained on the test images (95% interval of the mean: "
            f"{interval(s['mean_interval'])}), lowest seed {percent(s['minimum'])}, "
            f"best single epoch {percent(s['best_accuracy'])}"
        )
    return f"{text}; training accuracy {percent(winner.train_accuracy)}, gap {points(winner.gap)} points."


def verdict_text(winner: Winner) -> str:
    """What its fresh seeds prove of the target, and how many more would."""
    return phrases.verdict_text(_summary(winner))


def _nothing(study: SearchStudy) -> str:
    counts = {name: n for name, n in study.counts().items() if n}
    if not counts:
        return "Nothing trained yet: the study has no trial that ended."
    listed = ", ".join(f"{n:,} {name}" for name, n in counts.items())
    return f"Nothing trained to the end yet: of the candidates drawn so far, {listed}."


def _proven(settings: StudySettings, winner: Winner) -> str:
    s = _summary(winner)
    held = f"all {s['n_held']} runs" if s["n_held"] == s["n_seeds"] else f"{s['n_held']} of the {s['n_seeds']} runs"
    return (
        f"The smallest network that this search has proven to reach {percent(settings.target)} on "
        f"{dataset_name(settings.dataset)} has {winner.params:,} parameters: trained again with "
        f"{plural(s['n_seeds'], 'fresh seed')}, it came to {_on_test(s)}, and {held} held the target in each of the "
        f"last {plural(settings.sustain, 'epoch')}."
    )


def _unproven(study: SearchStudy, winner: Winner) -> str:
    settings, s = study.settings, _summary(winner)
    return (
        f"No network is proven to reach {percent(settings.target)} on {dataset_name(settings.dataset)}: trial "
        f"{winner.trial.number}, with {winner.params:,} parameters, came to {_on_test(s)} over "
        f"{plural(s['n_seeds'], 'fresh seed')}; {_shortcoming(s)}."
    )


def _shortcoming(summary: dict[str, Any]) -> str:
    """Why that is no proof."""
    inside = f"the 95% interval of the mean, {interval(summary['mean_interval'])},"
    match Verdict(summary["verdict"]):
        case Verdict.ON_TARGET_NOT_PROVEN:
            return f"that is on target, but {inside} reaches below it"
        case Verdict.BELOW_TARGET:
            return f"that is below the target, though {inside} reaches it"
        case Verdict.REFUTED:
            return f"{inside} is below the target"
        case Verdict.TOO_FEW_SEEDS:
            return "so few prove nothing"
        case Verdict.VERIFIED:
            raise ValueError("a verified network has proven itself")


def _found(study: SearchStudy, winner: Winner) -> str:
    settings = study.settings
    return (
        f"The smallest network that reached {percent(settings.target)} on {dataset_name(settings.dataset)} in this "
        f"search has {winner.params:,} parameters: {_in_one_training(settings, winner)}; it is not verified yet."
    )


def _missed(study: SearchStudy, winner: Winner) -> str:
    settings = study.settings
    return (
        f"Nothing reached {percent(settings.target)} on {dataset_name(settings.dataset)} among "
        f"{plural(study.n_past_gate(), 'candidate')}; the best, with {winner.params:,} parameters, came to "
        f"{_in_one_training(settings, winner)}."
    )


def _in_one_training(settings: StudySettings, winner: Winner) -> str:
    chose = ", which also chose it" if settings.split == "test" else ""
    return f"{percent(winner.accuracy)} on the {judges(settings.split)}{chose}, in one training"


def _on_test(summary: dict[str, Any]) -> str:
    return f"{percent(summary['sustained_accuracy'])}{spread(summary['deviation'])} on the test images"


def _summary(winner: Winner) -> dict[str, Any]:
    assert winner.verified is not None
    return winner.verified.summary
