"""Layers, schedules and recipes as plain data: the one form that is stored, sent to workers and written in spec files.

A layer or a schedule is `{kind: {field: value}}`; a reader also takes `{kind: value of its first field}` and a bare
`kind`. Writers spell every field out, so that the text of a candidate does not change when a default does; but for
fields that were added later, which are left out while neutral (`models/later.py`).
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from models.arch import MOST_LAYERS, ArchSpec, find_faults
from models.errors import InvalidArchitectureError, InvalidRecipeError
from models.later import spelled_out
from models.layers import LAYERS, Conv, Layer
from models.recipe import Recipe
from models.schedules import SCHEDULES, Schedule

T = TypeVar("T", bound=Layer | Schedule)


def arch_to_list(arch: ArchSpec) -> list[dict[str, Any]]:
    """An architecture as a list of its layers."""
    return [_tagged(layer) for layer in arch.layers]


def arch_from_list(items: object) -> ArchSpec:
    """An architecture from its list of layers. Raises InvalidArchitectureError with every fault found."""
    if items is None:
        raise InvalidArchitectureError(["layers is missing: list the layers, such as `- conv: 8`"])
    if not isinstance(items, (list, tuple)) or not items:
        raise InvalidArchitectureError([f"layers is {items!r}: it must be a list, such as `- conv: 8`"])
    if len(items) > MOST_LAYERS:
        raise InvalidArchitectureError([f"{len(items):,} layers: there may be {MOST_LAYERS:,}"])
    layers: list[Layer] = []
    faults: list[str] = []
    for number, item in enumerate(items, 1):
        try:
            layer = _untagged(item, LAYERS, "layer")
        except ValueError as error:
            faults.append(f"layer {number}: {error}")
        else:
            layers.append(layer)
            faults += [f"layer {number} ({layer.text()}): {fault}" for fault in layer.faults()]
    faults = faults or find_faults(layers)
    if faults:
        raise InvalidArchitectureError(faults)
    return ArchSpec(tuple(layers))


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """A recipe with its fields spelled out."""
    return spelled_out(recipe) | {"schedule": _tagged(recipe.schedule)}


def recipe_from_dict(data: object) -> Recipe:
    """A recipe; what is left out has its default. Raises InvalidRecipeError with every fault found."""
    if not isinstance(data, Mapping):
        raise InvalidRecipeError([f"recipe is {data!r}: it must be a mapping, such as `epochs: 15`"])
    known = [f.name for f in fields(Recipe)]
    faults = [f"recipe has no {key!r}: it knows {', '.join(known)}" for key in data if key not in known]
    values = {key: value for key, value in data.items() if key in known}
    if "schedule" in values:
        try:
            values["schedule"] = _untagged(values["schedule"], SCHEDULES, "schedule")
        except ValueError as error:
            faults.append(f"recipe: {error}")
            del values["schedule"]
    try:
        recipe = Recipe(**values)
    except InvalidRecipeError as error:
        raise InvalidRecipeError([*faults, *(f"recipe: {fault}" for fault in error.faults)]) from None
    if faults:
        raise InvalidRecipeError(faults)
    return recipe


def _tagged(value: Layer | Schedule) -> dict[str, Any]:
    return {value.kind: {name: _listed(of) for name, of in spelled_out(value).items()}}


def _untagged(item: object, kinds: Mapping[str, type[T]], what: str) -> T:
    """One layer or schedule. Raises ValueError with what is wrong with its form; its values are not checked."""
    kind, values = _split(item, what)
    if kind not in kinds:
        raise ValueError(f"unknown {what} {kind!r}: it may be {', '.join(kinds)}")
    cls = kinds[kind]
    names = [f.name for f in fields(cls)]
    if not isinstance(values, Mapping):
        if not names:
            raise ValueError(f"{kind} takes no value")
        values = {names[0]: values}
    unknown = ", ".join(repr(key) for key in values if key not in names)
    if unknown:
        raise ValueError(f"{kind} has no {unknown}: it knows {', '.join(names) or 'nothing'}")
    if cls is Conv and "out" not in values:
        raise ValueError("conv needs out, its number of channels")
    return cls(**{str(key): _frozen(value) for key, value in values.items()})


def _split(item: object, what: str) -> tuple[str, object]:
    if isinstance(item, str):
        return item, {}
    if isinstance(item, Mapping) and len(item) == 1:
        [(kind, values)] = item.items()
        return str(kind), {} if values is None else values
    raise ValueError(f"{item!r} is not a {what}: write its name, or `name: value`")


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
