"""The hand-made networks of the sources, and those that our own searches have found, by name."""

from models.presets.catalogue import PRESETS
from models.presets.ours import OURS
from models.presets.registry import Preset, look_up

KNOWN = {**PRESETS, **OURS}
"""All that may be named."""


def get_preset(name: str) -> Preset:
    """The preset of that name. Raises MnistSearchError, naming those that are nearly called so."""
    return look_up(KNOWN, name)


__all__ = ["KNOWN", "OURS", "PRESETS", "Preset", "get_preset"]
