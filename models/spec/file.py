"""Spec files: a candidate that somebody writes by hand, in YAML or JSON.

layers:
  - conv: 8                              # 3x3, then BatchNorm and ReLU
  - gap
  - conv: {out: 10, kernel: 1, then: []}
recipe:                                  # what is left out has its default
  epochs: 20
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import yaml

from models.candidate import Candidate
from models.errors import MnistSearchError
from models.layers import Layer
from models.printable import one_line
from models.recipe import Recipe
from models.schedules import Schedule
from models.spec.parsers import PARSERS
from models.spec.reading import read_text

_WANTED = f"a spec file ({', '.join(PARSERS)})"


def load_spec(path: Path) -> Candidate:
    """The candidate of a spec file, which has `layers` and may have `recipe` and `name`.

    Raises MnistSearchError in one line, `PATH: fault; fault; …`, with every fault of the candidate.
    """
    try:
        return Candidate.from_dict(_mapping(_parse(path, read_text(path, _WANTED))))
    except MnistSearchError as error:
        raise MnistSearchError(one_line(f"{path}: {error}")) from None


def dump_spec(candidate: Candidate, name: str) -> str:
    """A spec file's text, in YAML, which `load_spec` reads back to an equal candidate. Defaults are left out."""
    lines = [f"name: {_flow(' '.join(name.split()))}", "layers:"]
    lines += [f"  - {_layer_line(layer)}" for layer in candidate.arch.layers]
    recipe = _changed_fields(candidate.recipe)
    lines += ["recipe:"] if recipe else []
    lines += [f"  {key}: {_flow(value)}" for key, value in recipe.items()]
    return "\n".join(lines) + "\n"


def _parse(path: Path, text: str) -> object:
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        raise MnistSearchError(f"the name of a spec file must end in {', '.join(PARSERS)}")
    return parser(text)


def _mapping(data: object) -> Mapping[str, Any]:
    if isinstance(data, Mapping):
        return data
    found = "a list" if isinstance(data, list) else "empty" if data is None else repr(data)
    raise MnistSearchError(f"the top level is {found}: it must be a mapping with layers, recipe and name")


def _layer_line(layer: Layer) -> str:
    short = _short(layer)
    if isinstance(short, str):
        return short
    [(kind, value)] = short.items()
    return f"{kind}: {_flow(value)}"


def _short(value: Layer | Schedule) -> str | dict[str, Any]:
    """The shortest form: the bare kind, or with its first field's value, or with all fields that are not default."""
    changed = _changed_fields(value)
    if not changed:
        return value.kind
    first = fields(value)[0].name
    return {value.kind: changed[first] if list(changed) == [first] else changed}


def _changed_fields(value: Layer | Schedule | Recipe) -> dict[str, Any]:
    """The fields that do not have their default, as plain data."""
    given = {f.name: getattr(value, f.name) for f in fields(value)}
    return {f.name: _plain(given[f.name]) for f in fields(value) if given[f.name] != _default(f)}


def _default(field: "Field[Any]") -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _plain(value: object) -> object:
    if isinstance(value, Schedule):
        return _short(value)
    return list(value) if isinstance(value, tuple) else value


def _flow(value: object) -> str:
    """A value as YAML on one line. It is dumped within a list, since a bare scalar would get a document's end."""
    listed = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf)
    return str(listed).strip()[1:-1]
