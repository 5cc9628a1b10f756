"""How to get the same again: commands, versions, seeds."""

import platform
from collections import Counter
from importlib.metadata import version
from typing import Any

from models.spec.file import dump_spec
from search.facts.commands import search_command as search_command  # for the templates
from search.measures.words import command_text
from search.report.winner import Winner
from search.study import attributes
from search.study.outcomes import PASSED_GATE
from search.study.study import SearchStudy
from search.verification.commands import more_seeds_words, verify_words
from search.verification.judged import Judged

_SEEDS = 10
_PACKAGES = ("mnist-search", "torch", "optuna", "plotly", "numpy")


def verify_command(study: SearchStudy, winner: Winner) -> str:
    """The command that verifies the winner, or verified it."""
    number, verified = str(winner.trial.number), winner.verified
    if verified is None:
        return command_text(["mnist-search", "verify", number, "--study", study.name, "--seeds", str(_SEEDS)])
    asked = _asked(study, verified.summary)
    return command_text(verify_words(number, asked, len(verified.runs), _where(study, verified)))


def next_command(study: SearchStudy, winner: Winner) -> str | None:
    """The command that does what is still to be done before the answer may be trusted; None if there is none."""
    if winner.verified is None:
        return verify_command(study, winner)
    asked = _asked(study, winner.verified.summary)
    words = more_seeds_words(str(winner.trial.number), asked, _where(study, winner.verified))
    return None if words is None else command_text(words)


def _asked(study: SearchStudy, summary: dict[str, Any]) -> dict[str, Any]:
    """The summary without a goal that is the study's own: `verify` takes that by itself."""
    goal = ("target", "sustain")
    return {**summary, **{name: None for name in goal if summary[name] == getattr(study.settings, name)}}


def _where(study: SearchStudy, verified: Judged) -> dict[str, str | None]:
    """Under what conditions more seeds are like those there are."""
    return {"study": study.name, "precision": verified.record.precision}


def other_commands(study: SearchStudy, winner: Winner | None) -> list[str]:
    """What else a reader with the study's database may want to do."""
    name = ["--study", study.name]
    commands = [["mnist-search", "report", *name], ["mnist-search", "dashboard", "--read-only", *name]]
    if winner is not None:
        number = str(winner.trial.number)
        commands = [["mnist-search", "show", number, *name], ["mnist-search", "export", number, *name], *commands]
    return [command_text(command) for command in commands]


def spec_text(winner: Winner) -> str:
    """The winner as a spec file, with which it can be trained without the study's database."""
    return dump_spec(winner.candidate, f"trial-{winner.trial.number}")


def facts(study: SearchStudy, winner: Winner | None) -> list[tuple[str, str]]:
    """Seeds, machines and versions, each with its name."""
    on = Counter(trial.user_attrs.get(attributes.TRAINED_ON) for trial in study.trials(*PASSED_GATE))
    rows = [("seed of the study", str(study.settings.seed))]
    if winner is not None:
        rows.append(("seed of the winner's training", str(winner.trial.user_attrs.get(attributes.TRAINING_SEED, "-"))))
        if winner.verified:
            rows.append(("seeds of the verification", ", ".join(str(run["seed"]) for run in winner.verified.runs)))
            where = {str(run.get("trained_on") or f"torch {run['torch']}") for run in winner.verified.runs}
            rows.append(("verified on", "; ".join(sorted(where))))
    rows += [("trained on", f"{text} ({n:,} trials)") for text, n in on.most_common() if text]
    versions = [f"{name} {version(name)}" for name in _PACKAGES]
    return [*rows, ("report written with", f"Python {platform.python_version()}, {', '.join(versions)}")]
