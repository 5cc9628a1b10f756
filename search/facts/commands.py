"""The command that makes a study again."""

from search.measures.words import command_text
from search.study.settings import SMALLEST
from search.study.study import SearchStudy
from search.study.warm_start import given_names


def search_command(study: SearchStudy) -> str:
    """The command that makes this study again, every range spelled out."""
    s = study.settings
    parts = [
        "mnist-search", "run", "--study", study.name, "--dataset", s.dataset, "--split", s.split,
        "--trials", str(max(1, study.n_past_gate())), "--epochs", str(s.epochs), "--max-params", str(s.max_params),
        "--target", f"{s.target:g}", "--sustain", str(s.sustain), "--sampler", s.sampler, "--pruner", s.pruner,
        "--seed", str(s.seed),
    ]  # fmt: skip
    if s.find == SMALLEST:
        parts += ["--find", s.find, "--margin", f"{s.margin:g}"]
    if s.deterministic:
        parts += ["--deterministic", "--window", str(s.window)]
    ranges = study.space.to_dict()  # also those it lacked when it was stored: their defaults are others by now
    parts += [word for name, text in ranges.items() for word in ("--set", f"{name}={text.replace(', ', ',')}")]
    parts += [word for name in given_names(study) for word in ("--warm-start", name)]
    return command_text(parts)
