"""What was measured on this machine and need not be measured again: small JSON files in the user's cache folder."""

import json
import os
from typing import Any

from trainer.hardware.machine import cache_folder


def read_kept(name: str) -> Any:
    """What was kept under this name, as it came out of JSON; None if nothing was, or it is damaged."""
    try:
        return json.loads((cache_folder() / f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return None


def keep(name: str, value: Any) -> None:
    """Keeps a value, whole or not at all; a folder that cannot be written to is no fault."""
    path = cache_folder() / f"{name}.json"
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.write_text(json.dumps(value), encoding="utf-8")
        partial.replace(path)
    except OSError:
        return
