"""What the presets came to when we trained them: measured once on real MNIST, and kept with the program.

`measured.json` is written by `benchmarks/train_presets.py`.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

RESULTS_FILE = Path(__file__).with_name("measured.json")


@cache
def preset_results() -> dict[str, Any]:
    """Machine, date and command of the measurement, and under `presets` the result of each by name."""
    results: dict[str, Any] = json.loads(RESULTS_FILE.read_text())
    return results


def measured_preset(name: str) -> dict[str, Any] | None:
    """The result of one preset; None for one that was not trained."""
    found: dict[str, Any] | None = preset_results()["presets"].get(name)
    return found
