"""`manifest.json`: what is in a bundle, what each file was measured to be, and where the network comes from."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import MnistSearchError

MANIFEST_FILE = "manifest.json"
BUNDLE_FORMAT = "mnist-search bundle 1"
_CHECKSUM = "sha256_of_the_rest"
_WANTED = ("name", "dataset", "files", "measured", "architecture", "source")


def write_manifest(facts: Mapping[str, Any], folder: Path) -> None:
    """Writes the facts with the format's name before them, and behind them a checksum of them all."""
    whole = {"format": BUNDLE_FORMAT, **facts}
    lines = [f"{json.dumps(key)}: {_text(value)}" for key, value in {**whole, _CHECKSUM: _checksum(whole)}.items()]
    (folder / MANIFEST_FILE).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The facts of a bundle. Raises MnistSearchError if there are none, or not those that were written."""
    path = folder / MANIFEST_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MnistSearchError(f"{folder} is no bundle: it has no {MANIFEST_FILE}") from None
    except OSError as error:
        raise MnistSearchError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise MnistSearchError(f"{path} is damaged: {error}") from None
    if not isinstance(facts, dict) or facts.get("format") != BUNDLE_FORMAT:
        raise MnistSearchError(f"{path} is not of a bundle that this version knows ({BUNDLE_FORMAT})")
    rest = {key: value for key, value in facts.items() if key != _CHECKSUM}
    if facts.get(_CHECKSUM) != _checksum(rest) or any(key not in facts for key in _WANTED):
        raise MnistSearchError(f"{path} is damaged: it is not what was written")
    return rest


def _text(value: object) -> str:
    """JSON with a line for each of the values of a list or a mapping, and no deeper."""
    if isinstance(value, Mapping) and value:
        return "{\n " + ",\n ".join(f"{json.dumps(key)}: {json.dumps(of)}" for key, of in value.items()) + "\n}"
    if isinstance(value, list) and value:
        return "[\n " + ",\n ".join(map(json.dumps, value)) + "\n]"
    return json.dumps(value)


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds a bundle, be it damaged, and nothing else."""
    try:
        facts = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        return {path.name for path in folder.iterdir()} <= {MANIFEST_FILE, *facts["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False


def file_facts(path: Path) -> dict[str, Any]:
    """Size and checksum of a file."""
    content = path.read_bytes()
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _checksum(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
