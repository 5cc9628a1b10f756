"""What `mnist-search --version` prints: with `-v` also the libraries, the device, and the data that is there."""

import platform
from importlib.metadata import PackageNotFoundError, version

_LIBRARIES = (
    "torch", "torchvision", "numpy", "optuna", "optuna-dashboard", "sqlalchemy", "scikit-learn", "rich", "typer",
    "onnx", "onnxruntime", "ray",
)  # fmt: skip
_WIDTH = 17


def version_lines(is_verbose: bool) -> list[str]:
    """The version; and all that a bug report needs, if it is wanted."""
    lines = [f"mnist-search {_version('mnist-search')}"]
    if not is_verbose:
        return lines
    facts = {**library_versions(), "system": platform.platform(), "device": _device(), **_data()}
    return lines + [f"{name:{_WIDTH}} {fact}" for name, fact in facts.items()]


def library_versions() -> dict[str, str]:
    """The versions of Python and of the libraries, those that are not installed included. Imports none of them."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _device() -> str:
    import torch

    from trainer.hardware.device import resolve_device
    from trainer.hardware.machine import cpu_name, usable_cores

    cpu = f"cpu, {cpu_name()}, cores: {usable_cores()}"
    device = resolve_device("auto")
    if device != "cuda":
        return cpu if device == "cpu" else f"{device}; {cpu}"
    gpus = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return f"cuda, {gpus}; {cpu}"


def _data() -> dict[str, str]:
    """The folder of the data, and each set of images that is there; nothing is fetched or read."""
    from trainer.data.find import data_folder
    from trainer.data.images import has_idx_dataset
    from trainer.data.layouts import IDX_DATASETS
    from trainer.data.names import DIGITS

    folder = data_folder(None)
    there = [name for name in IDX_DATASETS if has_idx_dataset(name, folder)]
    return {"data folder": str(folder), "data": ", ".join([*there, f"{DIGITS} (embedded)"])}
