"""The compiled kernels: built once per machine by the system's C compiler, and loaded.

Nothing here is needed: `load_kernels()` is None where no compiler is, and the trainer then does the same with torch.
"""

import ctypes
import functools
import hashlib
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from trainer.fused.compiler import compiler_fault, find_compiler
from trainer.hardware.machine import cache_folder, cpu_fingerprint

SWITCH = "MNIST_SEARCH_FUSED"
"""Environment variable: `0` turns the kernels off."""

_SOURCES = ("block.c", "sampling.c", "convolution.c", "dense.c", "depthwise.c")
_HEADERS = ("formats.h", "convolution.h")
# No -ffast-math: sums must not depend on the compiler's mood, and non-finite values must come through.
_FLAGS = (
    *("-std=c11", "-O3", "-shared", "-fPIC"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-fno-strict-aliasing"),
)
# For this machine, the best first; a compiler refuses what it does not know.
_TUNINGS: tuple[tuple[str, ...], ...] = (("-march=native", "-mprefer-vector-width=512"), ("-march=native",), ())
_COMPILE_SECONDS = 120


@functools.cache
def load_kernels() -> ctypes.CDLL | None:
    """The kernels, or None where they cannot be built or are switched off."""
    if os.environ.get(SWITCH) == "0":
        return None
    compiler = find_compiler()
    if compiler is None:
        return None
    try:
        return _load(compiler)
    except OSError:  # an unwritable disk, a library of another system
        return None


def kernels_fault() -> str | None:
    """Return why the kernels cannot be used here; None if they can, or are switched off."""
    if os.environ.get(SWITCH) == "0" or load_kernels() is not None:
        return None
    return compiler_fault() or f"`{shlex.join(find_compiler() or [])}` does not compile them, or they cannot be loaded"


def _load(compiler: list[str]) -> ctypes.CDLL | None:
    sources = [Path(__file__).with_name(name) for name in _SOURCES]
    name = f"fused-{_fingerprint(compiler, sources)}.so"
    for folder in (cache_folder(), Path(tempfile.gettempdir()) / f"mnist-search-{_user()}"):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
                continue  # never run what somebody else put there
            path = folder / name
            if path.exists() or _compile(compiler, sources, path):
                return ctypes.CDLL(str(path))
        except OSError:
            continue
    return None


def _compile(compiler: list[str], sources: list[Path], path: Path) -> bool:
    """Whether the library now stands at `path`: written beside it and moved, as other workers may do so at once."""
    if compiler_fault() is not None:
        return False
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        out = Path(folder) / path.name
        for tuning in _TUNINGS:
            command = [*compiler, *_FLAGS, *tuning, *map(str, sources), "-o", str(out), "-lm"]
            try:
                done = subprocess.run(command, capture_output=True, timeout=_COMPILE_SECONDS, check=False)
            except subprocess.SubprocessError:
                return False
            if done.returncode == 0:
                ctypes.CDLL(str(out))  # raises OSError: what cannot be loaded is not kept
                out.replace(path)
                return True
    return False


def _fingerprint(compiler: list[str], sources: list[Path]) -> str:
    """Changes with the sources, the compiler, the flags and the processor."""
    parts = [*compiler, *_FLAGS, *(flag for tuning in _TUNINGS for flag in tuning), cpu_fingerprint()]
    digest = hashlib.sha256("\0".join(parts).encode())
    for source in (*sources, *map(Path(__file__).with_name, _HEADERS)):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
