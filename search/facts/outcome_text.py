"""What became of a trial, in a sentence."""

from optuna.trial import FrozenTrial, TrialState

from search.measures.words import percent, plural
from search.study import attributes
from search.study.outcomes import Outcome, outcome_of
from search.study.settings import StudySettings


def outcome_text(trial: FrozenTrial, settings: StudySettings) -> str:
    """A sentence without its full stop, such as `Stopped after epoch 5: 98.61% against a median of 98.90%`."""
    text = _text(trial, settings)
    return text[:1].upper() + text[1:]


def _text(trial: FrozenTrial, settings: StudySettings) -> str:
    reason = str(trial.user_attrs.get(attributes.REASON, ""))
    match outcome_of(trial):
        case Outcome.TRAINED:
            return _trained(trial, settings)
        case Outcome.PRUNED:
            n_epochs = len(trial.intermediate_values)
            return _because(f"stopped after epoch {n_epochs}", reason.removesuffix(f" in epoch {n_epochs}"))
        case Outcome.REJECTED:
            return _because("rejected before training", reason)
        case Outcome.DIVERGED:
            return _because("diverged", reason)
        case Outcome.FAILED:
            return _because("failed", reason)
        case Outcome.INTERRUPTED:
            return _because("interrupted", reason)
        case Outcome.DUPLICATE:
            return _because("not trained", reason)
    return _unfinished(trial, settings)


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


def _trained(trial: FrozenTrial, settings: StudySettings) -> str:
    target, sustained = percent(settings.target), percent(trial.value)
    last = f"its last {plural(settings.sustain, 'epoch')}" if settings.sustain > 1 else "its last epoch"
    if trial.user_attrs.get(attributes.HELD):
        each = f"each of {last}" if settings.sustain > 1 else last
        return f"held {target} in {each}: {sustained} sustained"
    if (trial.value or 0.0) >= settings.target:
        return f"reached {target}, but did not hold it: {sustained} is the mean of {last}"
    return f"trained to the end: {sustained} sustained over {last}, below {target}"


def _unfinished(trial: FrozenTrial, settings: StudySettings) -> str:
    if trial.state is TrialState.WAITING:
        return "waits to be trained"
    if trial.state.is_finished():
        return f"ended by another program, as {trial.state.name}"
    if not trial.intermediate_values:
        return "in training: its first epoch is not over"
    epoch, accuracy = max(trial.intermediate_values.items())
    return f"in training: {percent(accuracy)} after epoch {epoch} of {settings.epochs}"
