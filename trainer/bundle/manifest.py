"""`manifest.json`: what is in a bundle, what each file was measured to be, and where the network comes from."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import MnistSearchError
from models.nearest import did_you_mean_file
from models.printable import one_line
from models.spec.parsers import parse_json
from models.spec.reading import read_text

MANIFEST_FILE = "manifest.json"
_FORMAT = "mnist-search bundle "
BUNDLE_FORMAT = f"{_FORMAT}1"
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
    if not os.path.lexists(path):
        near = "" if os.path.lexists(folder) else did_you_mean_file(folder)
        raise MnistSearchError(f"{folder} is no bundle: {near or f'it has no {MANIFEST_FILE}'}")
    try:
        facts = parse_json(read_text(path, "another bundle"))
    except MnistSearchError as error:
        raise MnistSearchError(one_line(f"{path} is damaged: {error}")) from None
    if not isinstance(facts, dict) or facts.get("format") != BUNDLE_FORMAT:
        raise MnistSearchError(f"{path} is not of a bundle that this version knows ({BUNDLE_FORMAT})")
    rest = {key: value for key, value in facts.items() if key != _CHECKSUM}
    if facts.get(_CHECKSUM) != _checksum(rest) or not _is_whole(rest):
        raise MnistSearchError(f"{path} is damaged: it is not what was written")
    return rest


def _text(value: object) -> str:
    """JSON with a line for each of the values of a list or a mapping, and no deeper."""
    if isinstance(value, Mapping) and value:
        return "{\n " + ",\n ".join(f"{json.dumps(key)}: {json.dumps(of)}" for key, of in value.items()) + "\n}"
    if isinstance(value, list) and value:
        return "[\n " + ",\n ".join(map(json.dumps, value)) + "\n]"
    return json.dumps(value)


def _is_whole(facts: Mapping[str, Any]) -> bool:
    """Whether all is there that this program reads, of the types that it has, and files are told by names alone."""
    return (
        all(key in facts for key in _WANTED)
        and isinstance(facts["name"], str)
        and isinstance(facts["dataset"], str)
        and isinstance(facts["files"], dict)
        and all(Path(name).name == name and _has(of, size_bytes=int, sha256=str) for name, of in facts["files"].items())
        and isinstance(facts["measured"], list)
        and all(_has(one, file=str, numbers=str, accuracy=(int, float)) for one in facts["measured"])
        and _has(facts.get("made", {"packages": {}}), packages=dict)
    )


def _has(value: object, **types: type | tuple[type, ...]) -> bool:
    """Whether it is a mapping that has these keys, with values of these types."""
    return isinstance(value, Mapping) and all(isinstance(value.get(key), of) for key, of in types.items())


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds a bundle of some version, be it damaged, and nothing else: then it may be replaced."""
    try:
        facts: Any = parse_json(read_text(folder / MANIFEST_FILE, "another bundle"))
        known = {MANIFEST_FILE, *facts["files"]}
        inside = list(folder.iterdir())
        is_ours = facts["format"].startswith(_FORMAT) and isinstance(facts["files"], dict)
    except (MnistSearchError, OSError, KeyError, TypeError, AttributeError):
        return False
    return is_ours and all(path.name in known and path.is_file() and not path.is_symlink() for path in inside)


def file_facts(path: Path) -> dict[str, Any]:
    """Size and checksum of a file."""
    content = path.read_bytes()
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _checksum(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
