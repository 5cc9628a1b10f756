"""Candidate: an architecture and a recipe, and the id of the pair."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from models.arch import ArchSpec
from models.errors import InvalidArchitectureError, InvalidRecipeError, MnistSearchError
from models.plain import arch_from_list, arch_to_list, recipe_from_dict, recipe_to_dict
from models.recipe import Recipe, stretched_recipe

ID_LENGTH = 12


@dataclass(frozen=True)
class Candidate:
    """What is searched for: a network and the way to train it. Equal candidates have the same `id`."""

    arch: ArchSpec
    recipe: Recipe

    @cached_property
    def id(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the canonical JSON."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:ID_LENGTH]

    def with_epochs(self, epochs: int) -> "Candidate":
        """The same network, trained over another number of epochs by a schedule of the same shape."""
        return self if epochs == self.recipe.epochs else replace(self, recipe=stretched_recipe(self.recipe, epochs))

    def to_dict(self) -> dict[str, Any]:
        """Plain data with its fields spelled out; `from_dict` reads it back."""
        return {"layers": arch_to_list(self.arch), "recipe": recipe_to_dict(self.recipe)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Candidate":
        """Reads `to_dict`'s form and the shorter one of spec files (`conv: 8`, a bare `gap`, no recipe).

        Raises MnistSearchError whose text holds every fault found, architecture and recipe together.
        """
        faults = [f"unknown key {key!r}: a spec has {', '.join(_KEYS)}" for key in data if key not in _KEYS]
        arch = recipe = None
        try:
            arch = arch_from_list(data.get("layers"))
        except InvalidArchitectureError as error:
            faults += error.faults
        try:
            recipe = recipe_from_dict({} if data.get("recipe") is None else data["recipe"])
        except InvalidRecipeError as error:
            faults += error.faults
        if arch is None or recipe is None or faults:
            raise MnistSearchError("; ".join(faults))
        return cls(arch, recipe)


_KEYS = ("name", "layers", "recipe")
