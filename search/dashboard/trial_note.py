"""The note of a trial: what it is, how it was trained, and what became of it."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

from models.layer_table import arch_facts, layer_facts
from search.dashboard.markdown import code, template
from search.facts.outcome_text import outcome_text
from search.measures.words import command_text, percent, points, seconds_text
from search.report.rows import recipe_rows
from search.study import attributes
from search.study.outcomes import Outcome, outcome_of
from search.study.settings import StudySettings
from search.study.study import candidate_of

_PARTS = (
    (attributes.WORKER, "worker", str),
    (attributes.TRAINING_SEED, "seed", str),
    (attributes.SECONDS, "time", seconds_text),
    (attributes.SECONDS_PER_EPOCH, "an epoch", seconds_text),
    (attributes.BEST_ACCURACY, "best epoch", percent),
    (attributes.GAP, "gap in points", points),
    (attributes.TRAINED_ON, "on", str),
)


def trial_note(
    trial: FrozenTrial,
    study: str,
    settings: StudySettings,
    verified: Mapping[str, Any] | None = None,
    curves: str | None = None,
) -> str:
    """The note of a trial of a study, in Markdown.

    `verified` is the summary of its verification, and `curves` where the picture of its curves is, if it has them.
    """
    attrs = trial.user_attrs
    known: dict[str, Any] = {"arch": None, "recipe": [], "layers": []}
    if attributes.CANDIDATE in attrs:
        candidate = candidate_of(trial)
        recipe = [(name, value) for name, value in recipe_rows(candidate.recipe).cells]
        known = {"arch": arch_facts(candidate.arch), "layers": layer_facts(candidate.arch), "recipe": recipe}
    return template("trial.md").render(
        outcome=outcome_text(trial, settings),
        settings=settings,
        verified=verified,
        origin=_origin(attrs),
        facts=[(name, text(attrs[key])) for key, name, text in _PARTS if key in attrs],
        curves=curves,
        commands=_commands(trial, study) if known["arch"] else [],
        **known,
    )


def _origin(attrs: Mapping[str, Any]) -> str:
    """Where it comes from, if the search did not draw it."""
    if attributes.RETRY_OF in attrs:
        return f"Trial {attrs[attributes.RETRY_OF]} again, which did not come to its end."
    if attributes.WARM_START in attrs:
        return f"Not drawn but given: {code(f'--warm-start {attrs[attributes.WARM_START]}')}."
    return ""


def _commands(trial: FrozenTrial, study: str) -> list[str]:
    number = str(trial.number)
    commands = ["show"]
    commands += ["verify"] if outcome_of(trial) is not Outcome.REJECTED else []
    commands += ["export"] if attributes.WEIGHTS in trial.user_attrs else []
    return [command_text(["mnist-search", command, number, "--study", study]) for command in commands]
