"""Files by torch.save, read without running what a stranger may have put into them: the one place that does."""

import io
import zipfile
from pickle import UnpicklingError
from typing import Any

import torch

_DAMAGED = (
    *(OSError, EOFError, RuntimeError, UnpicklingError, zipfile.BadZipFile),
    *(ValueError, LookupError, TypeError, AttributeError, NotImplementedError),
)
"""What comes of a file that was cut off by a full disk or a power cut, or was never one by torch.save."""


def load_saved(content: bytes, most_bytes: int) -> Any:
    """Tensors, on the CPU, and the plain values around them; `most_bytes` is what they may take, unpacked.

    Raises ValueError for a file that is damaged, holds anything else, or is larger.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            n_bytes = sum(part.file_size for part in archive.infolist())
        if n_bytes <= most_bytes:
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise ValueError(f"no file of tensors ({type(error).__name__})") from error
    raise ValueError(f"unpacked it has {n_bytes:,} bytes, more than the {most_bytes:,} that there may be")
