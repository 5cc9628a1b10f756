"""From a spec file's text to plain data. A fault is a MnistSearchError that says where it is."""

import json
import re
from collections.abc import Callable, Hashable
from typing import Any

import yaml

from models.errors import MnistSearchError


def parse_json(text: str) -> object:
    """JSON in which no key is given twice. Raises MnistSearchError that says where a fault is."""
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise MnistSearchError(f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except ValueError as error:  # a number of thousands of digits
        raise MnistSearchError(f"not JSON that can be read: {error}") from None
    except RecursionError:
        raise MnistSearchError("nested too deeply to be read") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise MnistSearchError(f"the key {key!r} is given twice")
        found[key] = value
    return found


class _Careful(yaml.composer.Composer, yaml.constructor.BaseConstructor):
    """Refuses a key given twice, where PyYAML keeps the last; and aliases.

    A few hundred bytes of them stand for gigabytes, or for a list that holds itself.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # type: ignore[attr-defined]
            alias = self.peek_event()  # type: ignore[attr-defined]
            place = _place(alias.start_mark)
            raise MnistSearchError(f"the alias *{alias.anchor} is not read: write out what it stands for ({place})")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise MnistSearchError(f"the key {key.value!r} is given twice ({_place(key.start_mark)})")
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


class _SpecLoader(_Careful, yaml.SafeLoader):
    """Reads 1e-4 as a number: PyYAML follows YAML 1.1, to which a number without a point is a text.

    YAML 1.2 and JSON disagree.
    """


class _TextLoader(_Careful, yaml.BaseLoader):
    """All scalars stay text: to YAML 1.1 `4:16` is a number to the base of sixty."""


_UNREADABLE = (ValueError, LookupError, AttributeError, ArithmeticError)
"""What PyYAML's constructors raise, beside its own errors."""

_SpecLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_texts(text: str) -> object:
    """YAML whose scalars are all taken for texts. Raises MnistSearchError that says where a fault is."""
    return _parse_yaml(text, _TextLoader)


def _parse_yaml(text: str, loader: type[yaml.BaseLoader | yaml.SafeLoader] = _SpecLoader) -> object:
    try:
        return yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        raise MnistSearchError(f"not YAML: {_problem(error)}") from None
    except yaml.reader.ReaderError as error:
        raise MnistSearchError(f"not YAML: {error.reason} (character {error.position + 1})") from None
    except _UNREADABLE as error:  # an impossible date, a number of another form than its tag says
        raise MnistSearchError(f"not YAML that can be read: {error}") from None
    except RecursionError:
        raise MnistSearchError("nested too deeply to be read") from None


def _problem(error: yaml.MarkedYAMLError) -> str:
    # PyYAML begins some sentences in the context and ends them in the problem: "expected …", "but found …".
    context = f"{error.context}, " if error.context and str(error.problem).startswith("but ") else ""
    place = f" ({_place(error.problem_mark)})" if error.problem_mark else ""
    return f"{context}{error.problem}{place}"


def _place(mark: yaml.Mark) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


PARSERS: dict[str, Callable[[str], object]] = {
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
    ".json": parse_json,
}
