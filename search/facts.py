"""Facts of a study and of a trial as plain data: the words of `--json`, and what the tables are made from."""

from typing import Any

from optuna.trial import FrozenTrial

from models.arch import ArchSpec, LayerFacts
from models.layers import Conv
from search.cost import cost_facts
from search.outcomes import Outcome, outcome_of
from search.study import SearchStudy
from storage.epochs import epochs_of
from storage.sessions import is_open
from storage.verifications import Verification, verifications_of


def study_facts(study: SearchStudy) -> dict[str, Any]:
    """Counts by outcome, best so far, time to target, what runs now."""
    settings, store = study.settings, study.store
    best, smallest = study.best(), study.smallest()
    return {
        "study": study.name,
        **{name: getattr(settings, name) for name in ("dataset", "split", "max_params", "target", "sustain", "epochs")},
        "sampler": settings.sampler,
        "pruner": settings.pruner,
        "seed": settings.seed,
        "n_past_gate": study.n_past_gate(),
        **study.counts(),
        "best": trial_facts(best) if best else None,
        "smallest": trial_facts(smallest) if smallest else None,
        **cost_facts(study),
        "verifications": [_proof_facts(one) for one in verifications_of(store.engine, study.name) if one.summary],
        "is_running": is_open(store.engine, study.study_id),
        "running": [_running_facts(study, trial) for trial in study.running()],
    }


def _proof_facts(one: Verification) -> dict[str, Any]:
    """A finished verification in short."""
    summary = one.summary or {}
    kept = (
        "n_seeds",
        "sustained_accuracy",
        "deviation",
        "minimum",
        "n_held",
        "target",
        "sustain",
        "verified",
        "margin",
    )
    return {"name": one.label, "trial": one.trial, "candidate": one.candidate_id} | {key: summary[key] for key in kept}


def trial_facts(trial: FrozenTrial) -> dict[str, Any]:
    """What is known of one trial, without its layers and epochs."""
    attrs = trial.user_attrs
    return {
        "name": f"trial {trial.number}",
        "trial": trial.number,
        "candidate": attrs.get("candidate_id"),
        "outcome": outcome_of(trial),
        "params": attrs.get("params"),
        "macs": attrs.get("macs"),
        # Optuna gives a pruned trial the last value it reported; that is no sustained accuracy.
        "sustained_accuracy": trial.value if outcome_of(trial) is Outcome.TRAINED else None,
        "best_accuracy": attrs.get("best_accuracy"),
        "held": attrs.get("held"),
        "seconds": attrs.get("seconds"),
        "reason": attrs.get("reason"),
        "trained_on": attrs.get("trained_on"),
    }


def layer_facts(arch: ArchSpec) -> list[dict[str, Any]]:
    """The rows of the layer table. Shapes are [C, H, W] of one image."""
    return [_layer_facts(number, row) for number, row in enumerate(arch.facts, 1)]


def arch_facts(arch: ArchSpec) -> dict[str, Any]:
    """The totals of the layer table. Activations are float32, one image; weights include BatchNorm's."""
    return {
        "params": arch.params,
        "macs": arch.macs,
        "receptive_field": arch.receptive_field,
        "peak_activation_bytes": 4 * arch.peak_activations,
        "weight_bytes_float32": 4 * arch.params,
        "weight_bytes_int8": arch.params,
    }


def _layer_facts(number: int, row: LayerFacts) -> dict[str, Any]:
    layer = row.layer
    return {
        "number": number,
        "layer": layer.kind,
        "then": list(layer.then) if isinstance(layer, Conv) else [],
        "kernel": row.kernel,
        "stride": row.stride,
        "padding": row.padding,
        "input_shape": list(row.input_shape),
        "output_shape": list(row.output_shape),
        "params": row.params,
        "macs": row.macs,
        "receptive_field": row.receptive_field,
    }


def _running_facts(study: SearchStudy, trial: FrozenTrial) -> dict[str, Any]:
    curves = epochs_of(study.store.engine, trial._trial_id)
    return {
        "trial": trial.number,
        "params": trial.user_attrs.get("params"),
        "epoch": len(curves),
        "accuracy": curves[-1]["eval_accuracy"] if curves else None,
    }
