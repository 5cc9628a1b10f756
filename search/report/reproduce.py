"""How to get the same again: commands, versions, seeds."""

import platform
import shlex
from collections import Counter
from importlib.metadata import version

from models.spec.file import dump_spec
from search.report.winner import Winner
from search.study import attributes
from search.study.outcomes import PASSED_GATE
from search.study.study import SearchStudy
from search.study.warm_start import given_names

_SEEDS = 10
_PACKAGES = ("mnist-search", "torch", "optuna", "plotly", "numpy")


def search_command(study: SearchStudy) -> str:
    """The command that makes this study again, every range spelled out."""
    s = study.settings
    parts = [
        "mnist-search", "run", "--study", study.name, "--dataset", s.dataset, "--split", s.split,
        "--trials", str(max(1, study.n_past_gate())), "--epochs", str(s.epochs), "--max-params", str(s.max_params),
        "--target", f"{s.target:g}", "--sustain", str(s.sustain), "--sampler", s.sampler, "--pruner", s.pruner,
        "--seed", str(s.seed),
    ]  # fmt: skip
    ranges = study.space.to_dict()  # also those it lacked when it was stored: their defaults are others by now
    parts += [word for name, text in ranges.items() for word in ("--set", f"{name}={text.replace(', ', ',')}")]
    parts += [word for name in given_names(study) for word in ("--warm-start", name)]
    return _wrapped(parts)


def verify_command(study: SearchStudy, winner: Winner) -> str:
    """The command that verifies the winner, or verified it."""
    seeds = len(winner.verified.runs) if winner.verified else _SEEDS
    words = ["mnist-search", "verify", str(winner.trial.number), "--study", study.name, "--seeds", str(seeds)]
    return _wrapped([*words, "--epochs", str(winner.candidate.recipe.epochs)] if winner.verified else words)


def other_commands(study: SearchStudy, winner: Winner | None) -> list[str]:
    """What else a reader with the study's database may want to do."""
    name = ["--study", study.name]
    commands = [["mnist-search", "report", *name], ["mnist-search", "dashboard", "--read-only", *name]]
    if winner is not None:
        number = str(winner.trial.number)
        commands = [["mnist-search", "show", number, *name], ["mnist-search", "export", number, *name], *commands]
    return [_wrapped(command) for command in commands]


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


def _wrapped(words: list[str]) -> str:
    """A command for a shell, broken before options so that no line grows long."""
    lines, line = [], ""
    for word in words:
        quoted = shlex.quote(word)
        if word.startswith("--") and len(line) > 60:
            lines.append(line)
            line = f"  {quoted}"
        else:
            line = f"{line} {quoted}".lstrip() if not line.startswith("  ") else f"{line} {quoted}"
    return " \\\n".join([*lines, line])
