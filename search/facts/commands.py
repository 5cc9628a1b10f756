"""The command that makes a study again."""

from functools import cache

from search.measures.words import command_text
from search.space.catalogue import DEFAULT_RANGES, WIDTHS
from search.space.space import Space
from search.study.setup import new_settings
from search.study.study import SearchStudy
from search.study.warm_start import given_names

DEFAULT_TRIALS = 200
"""Candidates that `run` trains unless it is given another number."""
_SETTINGS = (
    *("split", "epochs", "max_params", "target", "sustain", "find", "margin"),
    *("sampler", "pruner", "seed", "window"),
)


def search_command(study: SearchStudy) -> str:
    """Return the command that makes this study again; what has its default is left out."""
    s, n_trials = study.settings, max(1, study.n_past_gate())
    parts = ["mnist-search", "run", *([] if study.name == s.dataset else ["--study", study.name])]
    parts += ["--dataset", s.dataset]
    parts += [] if n_trials == DEFAULT_TRIALS else ["--trials", str(n_trials)]
    usual = new_settings({"dataset": s.dataset})
    # How many epochs decide follows from how many there are.
    usual_values = {**usual.to_dict(), "sustain": new_settings({"dataset": s.dataset, "epochs": s.epochs}).sustain}
    for name in _SETTINGS:
        if getattr(s, name) != usual_values[name]:
            parts += [f"--{name.replace('_', '-')}", str(getattr(s, name))]
    parts += ["--deterministic"] if s.deterministic else []
    # Also the ranges that the study lacked when it was stored: the program has other defaults by now.
    ranges = _unusual_ranges(study.space.to_dict(), s.max_params)
    parts += [word for name, text in ranges.items() for word in ("--set", f"{name}={text.replace(', ', ',')}")]
    parts += [word for name in given_names(study) for word in ("--warm-start", name)]
    return command_text(parts)


def _unusual_ranges(ranges: dict[str, str], max_params: int) -> dict[str, str]:
    """Return the ranges that a new study of this budget would not have by itself."""
    usual = _fitted_ranges((), max_params)
    unusual = {name: text for name, text in ranges.items() if name not in WIDTHS and text != usual.get(name)}
    known = tuple((name, text) for name, text in unusual.items() if name in DEFAULT_RANGES)
    fitted = _fitted_ranges(known, max_params)
    # Widths follow the budget together: one that is given changes what the others become.
    widths = {name: ranges[name] for name in WIDTHS}
    return {**({} if all(fitted[name] == text for name, text in widths.items()) else widths), **unusual}


@cache  # most of a second, and a page with notes asks again and again
def _fitted_ranges(given: tuple[tuple[str, str], ...], max_params: int) -> dict[str, str]:
    return Space.of(dict(given), max_params).to_dict()
