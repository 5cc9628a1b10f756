"""What the presets came to when we trained them: measured once on real MNIST, and kept with the program.

`benchmarks/train_presets.py` writes the sources' networks into `measured.json`, one training each. Our own networks
have the verifications of `benchmarks/results/records.md`, several fresh seeds each; `printed` names the file of what
`verify` printed, which a test compares with them.
"""

import json
from collections.abc import Mapping
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


def held_of(result: Mapping[str, Any]) -> str:
    """Whether it held the target, or `8 of 15` where there are several seeds; a dash where nothing is known."""
    if result.get("n_held") is not None:
        return f"{result['n_held']} of {result['runs']}"
    return {True: "yes", False: "no", None: "-"}[result.get("held")]
