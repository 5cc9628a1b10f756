"""This machine: its processor, its cores, and the folder where what is worked out for it is kept."""

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
_TELLING = ("model", "flags", "Features", "CPU part", "stepping")


def cache_folder() -> Path:
    """The user's cache folder of this program, which may not be there yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mnist-search"


def usable_cores() -> int:
    """Return how many cores this process may use: those it is bound to, or as many as its container may keep busy."""
    is_bound = hasattr(os, "sched_getaffinity")  # by a container or taskset, on Linux
    bound = len(os.sched_getaffinity(0)) if is_bound else os.cpu_count() or 1
    return max(1, min([bound, *(math.ceil(limit) for limit in _cpu_limits())]))


def _cpu_limits() -> Iterator[float]:
    """Yield the CPU seconds a second that each control group around this process allows (`docker run --cpus 1.5`)."""
    files: tuple[str, ...]
    for line in _lines_of(_OWN_GROUPS):
        controllers, _, path = line.partition(":")[2].partition(":")
        if "cpu" in controllers.split(","):  # version 1
            root, files = _GROUPS / "cpu", ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        elif not controllers:  # version 2
            root, files = _GROUPS, ("cpu.max",)
        else:
            continue
        group = root / path.lstrip("/")  # not there in some containers, whose own limit stands at the root
        for folder in (group, *group.parents):
            words = [word for name in files for line in _lines_of(folder / name) for word in line.split()]
            if len(words) == 2 and words[0].isdigit():  # no limit is `max`, or -1
                yield int(words[0]) / int(words[1])


def cpu_name() -> str:
    """The processor's name as its maker gives it, or else its architecture."""
    named = (line.partition(":")[2].strip() for line in _lines_of(_CPUINFO) if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def cpu_fingerprint() -> str:
    """What compiled code and timings depend on: a home folder may be shared by unequal machines."""
    name = f"{platform.system()} {platform.machine()} {platform.processor()}"
    kept = [line for line in _lines_of(_CPUINFO) if line.startswith(_TELLING)]
    return "\n".join([name, *dict.fromkeys(kept)])


def _lines_of(path: Path) -> list[str]:
    """Return the lines of a file of the kernel; none where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
