"""Facts of a study and of a trial as plain data: the words of `--json`, and what the tables are made from."""

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial

from search.facts.cost import cost_facts
from search.study import attributes
from search.study.history import epochs_of_trial
from search.study.outcomes import Outcome, outcome_of
from search.study.study import SearchStudy
from search.verification.answer import Answer, find_answer
from search.verification.judged import Judged, judged_verifications
from storage.sessions import driven, is_open


def study_facts(study: SearchStudy) -> dict[str, Any]:
    """Counts by outcome, best so far, time to target, what runs now."""
    settings, store = study.settings, study.store
    n_workers, n_slots = driven(store.engine, study.study_id) or (None, None)
    best, smallest, answer = study.best(), study.smallest(), find_answer(study)
    return {
        "study": study.name,
        **{name: getattr(settings, name) for name in ("dataset", "split", "max_params", "target", "sustain", "epochs")},
        "find": settings.find,
        "budget": study.budget(),
        "sampler": settings.sampler,
        "pruner": settings.pruner,
        "seed": settings.seed,
        "n_past_gate": study.n_past_gate(),
        **study.counts(),
        "answer": answer_facts(answer) if answer else None,
        "best": trial_facts(best) if best else None,
        "smallest": trial_facts(smallest) if smallest else None,
        "front": [trial_facts(trial) for trial in study.front()],
        **cost_facts(study),
        "verifications": [_proof_facts(one) for one in judged_verifications(study)],
        "is_running": is_open(store.engine, study.study_id),
        "workers": n_workers,
        "slots": n_slots,
        "running": [_running_facts(study, trial) for trial in study.running()],
        "interrupted": [_running_facts(study, trial) for trial in study.interrupted()],
    }


def _proof_facts(one: Judged) -> dict[str, Any]:
    """A finished verification in short."""
    kept = (
        *("n_seeds", "epochs", "sustained_accuracy", "deviation", "mean_interval", "minimum", "n_held"),
        *("target", "sustain", "verified", "verdict", "seeds_to_settle", "margin"),
    )
    record = {
        "name": one.record.label,
        "trial": one.record.trial,
        "candidate": one.record.candidate_id,
        "precision": one.record.precision,
        "torch": one.record.torch,
    }
    return record | {key: one.summary[key] for key in kept}


def answer_facts(answer: Answer) -> dict[str, Any]:
    """The trial of an answer, why it is the answer (`standing`), and what that rests on, in words (`rests_on`)."""
    return {**trial_facts(answer.trial), "standing": answer.standing, "rests_on": answer.text}


def trial_facts(trial: FrozenTrial) -> dict[str, Any]:
    """What is known of one trial, without its layers and epochs."""
    attrs = trial.user_attrs
    return {
        "name": f"trial {trial.number}",
        "trial": trial.number,
        "candidate": attrs.get(attributes.CANDIDATE_ID),
        "outcome": outcome_of(trial),
        "params": attrs.get(attributes.PARAMS),
        "macs": attrs.get(attributes.MACS),
        # Optuna gives a pruned trial the last value it reported; that is no sustained accuracy.
        "sustained_accuracy": trial.value if outcome_of(trial) is Outcome.TRAINED else None,
        "best_accuracy": attrs.get(attributes.BEST_ACCURACY),
        "held": attrs.get(attributes.HELD),
        "seconds": attrs.get(attributes.SECONDS),
        "reason": attrs.get(attributes.REASON),
        "trained_on": attrs.get(attributes.TRAINED_ON),
    }


def trials_facts(study: SearchStudy, outcomes: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The facts of each trial, or of those with one of the outcomes; in the order of their numbers."""
    facts = (
        {
            **trial_facts(trial),
            "outcome": _outcome(trial),
            "receptive_field": trial.user_attrs.get(attributes.RECEPTIVE_FIELD),
            "epochs": len(trial.intermediate_values),
            "values": trial.params,
        }
        for trial in study.snapshot.all
    )
    return [one for one in facts if not outcomes or one["outcome"] in outcomes]


def _outcome(trial: FrozenTrial) -> str:
    """What became of a trial; of one that has not ended, or was ended by another program, Optuna's state."""
    return str(outcome_of(trial) or trial.state.name.lower())


def _running_facts(study: SearchStudy, trial: FrozenTrial) -> dict[str, Any]:
    curves = epochs_of_trial(study, trial)
    return {
        "trial": trial.number,
        "params": trial.user_attrs.get(attributes.PARAMS),
        "epoch": len(curves),
        "accuracy": curves[-1]["eval_accuracy"] if curves else None,
    }
