"""The templates of notes, which are Markdown: tables and code, no HTML, since optuna-dashboard shows none."""

from functools import cache

import jinja2

from models.arch import shape_text
from search.measures import phrases, words

_WORDS = ("percent", "points", "seconds_text", "count_text", "bytes_text", "plural")


@cache
def template(name: str) -> jinja2.Template:
    """The template of this name."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("search.dashboard"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {name: getattr(words, name) for name in _WORDS}
    environment.globals |= {name: getattr(phrases, name) for name in ("interval", "verdict_text", "judges")}
    environment.globals |= {"shape_text": shape_text, "dataset_name": phrases.dataset_name}
    return environment.get_template(name)
