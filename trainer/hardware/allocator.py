"""The C library's memory allocator, set for training."""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT_BYTES = 1 << 30


def keep_freed_memory() -> bool:
    """Makes glibc keep the memory of freed tensors for the next ones; returns whether it could.

    By default it hands every large block back to the system and faults its pages in again at the next step: a fifth
    of the time of a training on a CPU. Does nothing where the C library is another.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)) and bool(mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES))
