"""`model.pt2` read without running what a stranger may have put into it.

`torch.export.load` unpickles whatever a file holds, evaluates its symbols, calls its functions by their names, and
compiles its guards (torch 2.14; its docstring says: never from an untrusted source). So the archive is taken apart
first, and what is handed to torch is one that is made anew of the parts that hold numbers and names alone.
"""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.errors import MnistSearchError
from models.printable import one_line

MOST_BYTES = 1 << 28
"""Of all parts together, unpacked."""

_PLAIN = re.compile(r"archive_format|archive_version|byteorder|\.data/(?:version|serialization_id)")
_NUMBERS = re.compile(r"data/(?:weights/weight|constants/tensor)_\d+")
_LISTS = re.compile(r"data/(?:weights/model_weights|constants/model_constants)_config\.json")
_GRAPH = "/".join(("models", "model.json"))
_EXAMPLES = "data/sample_inputs/model.pt"
"""A pickle that nothing needs: an empty one is put in its place."""

_NAME = re.compile(r"[\w.+-]*")
_SYMBOL = re.compile(r"(?:Symbol\('s\d+', positive=True, integer=True\)|s\d+|\d+)")
_TREE = re.compile(r'(?:[\[\]{}:, \d]|null|"(?:builtins\.(?:tuple|list|dict)|type|context|children_spec|null|\[\])")*')
_OPERATION = re.compile(r"torch\.ops\.aten\.(\w+)\.\w+")
_OPERATIONS = frozenset({
    "conv2d", "linear", "addmm", "matmul", "batch_norm", "relu", "relu_", "gelu", "silu", "sigmoid", "tanh", "hardtanh",
    "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "mean", "amax", "dropout", "softmax",
    "log_softmax", "flatten", "view", "reshape", "permute", "transpose", "squeeze", "unsqueeze", "contiguous", "pad",
    "cat", "add", "add_", "sub", "mul", "div", "neg", "abs", "clamp", "ones_like", "slice", "to", "sym_size",
})  # fmt: skip
"""Of networks that classify images; none of them opens a file."""


_DAMAGED = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError, LookupError, TypeError, AttributeError),
    *(NotImplementedError, RuntimeError, MemoryError),
)
"""What comes of an archive that is none, is encrypted or cut off, or whose lists hold something else."""


class UnsafeModelError(MnistSearchError):
    """A file that holds something else than numbers and the names of operations."""


def read_pt2(path: Path) -> nn.Module:
    """The network of a file that `torch.export.save` wrote, on the CPU.

    Raises UnsafeModelError for one that would have to be trusted, MnistSearchError for a damaged one, and whatever
    torch raises for one that it cannot read.
    """
    return torch.export.load(harmless(path)).module()


def harmless(path: Path) -> io.BytesIO:
    """The same archive made anew of the parts that are known to be harmless. Raises MnistSearchError."""
    try:
        return _made_anew(path)
    except UnsafeModelError as error:
        advice = "name the weights.safetensors of its bundle, which runs nothing"
        raise UnsafeModelError(one_line(f"{path} is not opened: {error}; {advice}")) from None
    except _DAMAGED as error:
        raise MnistSearchError(one_line(f"{path} is damaged, or no file of torch.export ({error})")) from None


def _made_anew(path: Path) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(path) as given, zipfile.ZipFile(made, "w") as target:
        parts = [part for part in given.infolist() if not part.is_dir()]
        if sum(part.file_size for part in parts) > MOST_BYTES:
            raise UnsafeModelError(f"unpacked it has more than {MOST_BYTES >> 20} MiB")
        for part in parts:
            _folder, _, name = part.filename.partition("/")
            target.writestr(f"archive/{name}", _checked(name, given.read(part)))
    made.seek(0)
    return made


def _checked(name: str, content: bytes) -> bytes:
    """A part of an archive as torch may be given it."""
    if _PLAIN.fullmatch(name) or _NUMBERS.fullmatch(name):
        return content
    if name == _EXAMPLES:
        return b""
    if name == _GRAPH:
        return json.dumps(_graph(json.loads(content))).encode()
    if _LISTS.fullmatch(name):
        return json.dumps(_list(json.loads(content))).encode()
    raise UnsafeModelError(f"it holds {name[:80]!r}, which may be a program")


def _list(value: Any) -> Any:
    """A list of tensors, none of which is a pickle."""
    for key, one in _strings(value):
        _require(_NAME, key, one)
    for one in value["config"].values():
        if one["use_pickle"] is not False or not re.fullmatch(r"(weight|tensor)_\d+", one["path_name"]):
            raise UnsafeModelError("it holds a pickle, which is a program")
    return value


def _graph(value: Any) -> Any:
    """A graph without guards and notes, in which every text is a name."""
    plain = {**_without_notes(value), "guards_code": []}
    for key, text in _strings(plain):
        _require(_FORMS.get(key, _NAME), key, text)
        if key == "target" and _OPERATION.fullmatch(text)[1] not in _OPERATIONS:  # type: ignore[index]
            raise UnsafeModelError(f"it calls {text[:80]!r}, which is no operation of a network that reads images")
    return plain


_FORMS = {"target": _OPERATION, "expr_str": _SYMBOL, "in_spec": _TREE, "out_spec": _TREE}


def _without_notes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: {} if key == "metadata" else _without_notes(one) for key, one in value.items()}
    return [_without_notes(one) for one in value] if isinstance(value, list) else value


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value with the key that it stands under, and every key, under no key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one, key)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield "", name
            yield from _strings(one, name)


def _require(form: re.Pattern[str], key: str, text: str) -> None:
    if not form.fullmatch(text):
        raise UnsafeModelError(f"it holds {text[:80]!r}{f' as {key}' if key else ''}, which may be a program")
