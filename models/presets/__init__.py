"""The hand-made networks of the sources, by name."""

from models.presets.catalogue import PRESETS, get_preset
from models.presets.registry import Preset

__all__ = ["PRESETS", "Preset", "get_preset"]
