"""Search for small networks from Python: `search`, `load_study`, `verify`, `export`, `load_model` and `Candidate`.

Each name is imported at its first use, since torch and optuna take seconds to import. See docs/python.md for examples.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mnist_search.shadowing import require_own_packages

if TYPE_CHECKING:
    from mnist_search.exporting import export, load_model
    from mnist_search.proving import Proof, verify
    from mnist_search.searching import search
    from mnist_search.studies import Study, TrainedTrial, load_study
    from models.candidate import Candidate
    from models.errors import MnistSearchError, WorkFailedError

__all__ = [
    "Candidate", "MnistSearchError", "Proof", "Study", "TrainedTrial", "WorkFailedError",
    "export", "load_model", "load_study", "search", "verify",
]  # fmt: skip
_MODULES = {
    "Candidate": "models.candidate",
    "MnistSearchError": "models.errors",
    "Proof": "mnist_search.proving",
    "Study": "mnist_search.studies",
    "TrainedTrial": "mnist_search.studies",
    "WorkFailedError": "models.errors",
    "export": "mnist_search.exporting",
    "load_model": "mnist_search.exporting",
    "load_study": "mnist_search.studies",
    "search": "mnist_search.searching",
    "verify": "mnist_search.proving",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'mnist_search' has no attribute {name!r}")
    require_own_packages()
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
