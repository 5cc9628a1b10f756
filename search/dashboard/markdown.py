"""The templates of notes, which are Markdown: tables and code, no HTML, since optuna-dashboard shows none."""

import re
from collections.abc import Sequence
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
    environment.globals |= {"commands_block": commands_block}
    environment.filters |= {"plain": plain}
    return environment.get_template(name)


def plain(text: str) -> str:
    """Any text as words in a line, whatever Markdown would take it for."""
    return re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Any text as code in a line."""
    line = " ".join(text.split())
    ticks = _longer_than_any_in(line, 1)
    room = " " if "`" in line else ""
    return f"{ticks}{room}{line}{room}{ticks}"


def commands_block(commands: Sequence[str]) -> str:
    """Commands for a shell as a block of code, whatever is quoted in them."""
    text = "\n".join(commands)
    fence = _longer_than_any_in(text, 3)
    return f"{fence}sh\n{text}\n{fence}"


def _longer_than_any_in(text: str, least: int) -> str:
    """As many backticks as there are nowhere in it."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))
