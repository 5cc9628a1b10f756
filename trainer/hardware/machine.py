"""This machine: its processor, its cores, and the folder where what is worked out for it is kept."""

import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_TELLING = ("model", "flags", "Features", "CPU part", "stepping")


def cache_folder() -> Path:
    """The user's cache folder of this program, which may not be there yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mnist-search"


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # what a container or taskset leaves us, on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name as its maker gives it, or else its architecture."""
    named = (line.partition(":")[2].strip() for line in _cpuinfo_lines() if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def cpu_fingerprint() -> str:
    """What compiled code and timings depend on: a home folder may be shared by unequal machines."""
    name = f"{platform.system()} {platform.machine()} {platform.processor()}"
    kept = [line for line in _cpuinfo_lines() if line.startswith(_TELLING)]
    return "\n".join([name, *dict.fromkeys(kept)])


def _cpuinfo_lines() -> list[str]:
    try:
        return _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
