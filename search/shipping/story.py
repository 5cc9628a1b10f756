"""Where a shipped network comes from, as plain data: what the manifest keeps and the card tells."""

from collections.abc import Mapping
from typing import Any

from search.facts.commands import search_command
from search.measures.words import command_text
from search.shipping.chosen import ASKED_FOR, Chosen, Verified
from search.study import attributes
from search.study.naming import Named
from search.study.outcomes import Outcome
from search.verification.commands import verify_words
from search.verification.single_training import SingleTraining
from search.verification.summary import accuracies_of, sustained_of
from trainer.bundle.bundle import Story

_OF_SEED = ("seed_number", "seed", "best_accuracy", "diverged")


def story_of(what: str, named: Named, chosen: Chosen) -> Story:
    """Of a network that verification or the search trained."""
    verification = None if chosen.verified is None else _verification(chosen.verified)
    return Story(_name(named), chosen.source, verification, _found(named), _commands(what, named, chosen))


def story_of_training(what: str, named: Named, single: SingleTraining, trained_on: str) -> Story:
    """Of a network that `train` trained once: nobody verified that one."""
    candidate = single.candidate
    source = {
        "kind": "training",
        "seed": single.seed,
        "trained_on": trained_on,
        "precision": single.precision.name,
        "epochs": candidate.recipe.epochs,
        "split": single.split,
    }
    where = {} if named.study is None else {"study": named.study.name}
    options = {
        "epochs": candidate.recipe.epochs, "seed": single.seed, "split": single.split, "dataset": single.dataset.name,
        "precision": single.precision.name, "device": single.device, **where,
    }  # fmt: skip
    word = what if named.trial is None else str(named.trial.number)  # `best` may be another one tomorrow
    words = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    command = command_text(["mnist-search", "train", word, *words])
    return Story(_name(named), source, None, _found(named), {"train": command})


def _name(named: Named) -> str:
    """`digits-trial-9`, or a preset's or file's own name."""
    return named.label if named.study is None else f"{named.study.name}-{named.label}".replace(" ", "-")


def _found(named: Named) -> dict[str, Any]:
    """Among how many it was found, and how; of a preset or a file its name."""
    study, trial = named.study, named.trial
    if study is None or trial is None:
        return {"as": "preset" if named.preset else "file", "name": named.label}
    settings, counts = study.settings, study.counts()
    shown = ("dataset", "split", "max_params", "find", "target", "sustain", "epochs", "sampler", "pruner", "seed")
    return {
        "as": "trial",
        "study": study.name,
        "trial": trial.number,
        "given_as": trial.user_attrs.get(attributes.WARM_START),
        "sustained_accuracy": trial.value,
        "is_clean": settings.split != "test",
        "n_past_gate": study.n_past_gate(),
        "counts": {str(outcome): counts[outcome] for outcome in (Outcome.TRAINED, Outcome.PRUNED, Outcome.REJECTED)},
        **{name: getattr(settings, name) for name in shown},
    }


def _verification(verified: Verified) -> dict[str, Any]:
    sustain = verified.summary["sustain"]
    seeds = [
        {**{key: run.get(key) for key in _OF_SEED}, "sustained_accuracy": round(sustained_of(run, sustain), 6),
         "last_accuracies": accuracies_of(run)[-sustain:]}
        for run in verified.runs
    ]  # fmt: skip
    on = {"precision": verified.record.precision, "torch": verified.record.torch}
    return {**verified.summary, "n_compared": verified.record.n_compared, **on, "seeds": seeds}


def _commands(what: str, named: Named, chosen: Chosen) -> dict[str, str]:
    """What finds it again, proves it again, and makes this bundle of it."""
    study = {} if named.study is None else {"study": named.study.name}
    word = what if named.trial is None else str(named.trial.number)
    commands = {} if named.study is None else {"search": search_command(named.study)}
    if chosen.verified is not None:
        where: Mapping[str, str | None] = {**study, "precision": chosen.verified.record.precision}
        if named.study is None:
            where = {"dataset": chosen.dataset, **where}
        commands["verify"] = command_text(verify_words(word, chosen.verified.summary, len(chosen.verified.runs), where))
    asked = {"seed": str(chosen.source["seed_number"])} if chosen.source.get("chosen_as") == ASKED_FOR else {}
    options = [text for name, value in {**study, **asked}.items() for text in (f"--{name}", value)]
    return {**commands, "export": command_text(["mnist-search", "export", word, *options])}
