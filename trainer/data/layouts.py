"""Where the IDX files of a dataset lie, and what they are called: as torchvision has it, and as others do."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

IDX_DATASETS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}
"""Datasets kept as IDX files, with the folder each has in torchvision's layout."""

FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

_WORDS = {"fashion-mnist": "fashion", "kmnist": "kmnist"}
"""What the name of a folder has in it that holds these, and not MNIST: their files are called alike."""

_IMAGES = re.compile(
    r"idx[13]|ubyte|\.(png|jpe?g|bmp|gif|tiff?|webp|npz|npy|pkl|mat|csv|parquet|zip|tar|tgz)(\.gz)?$", re.IGNORECASE
)
"""Names of files that may hold images, whatever their format."""
_MOST_LOOKED_AT = 10_000
_MAX_DEPTH = 2


@dataclass(frozen=True)
class IdxFiles:
    """The files of a dataset that lie in one folder."""

    place: Path
    found: dict[str, Path]
    """Their paths, by the names that torchvision gives them."""

    @property
    def missing(self) -> list[str]:
        """The names of the others."""
        return [file for files in FILES.values() for file in files if file not in self.found]

    @property
    def text(self) -> str:
        """What is there and what is not, where some are."""
        there = listed([str(path.relative_to(self.place)) for path in self.found.values()])
        return f"{self.place} holds {there}, and lacks {listed(self.missing)}"


def torchvision_folder(name: str, folder: Path) -> Path:
    """Return where torchvision keeps the files of a dataset."""
    return folder / IDX_DATASETS[name] / "raw"


def find_idx_files(name: str, folder: Path) -> IdxFiles:
    """Return the files of a dataset, from the one place in `folder` that has most of them; torchvision's comes first.

    Files that lie in `folder` or its `raw/` do not say which dataset they are: they are MNIST, unless the folder is
    called by the name of another.
    """
    named = [folder / part for part in (IDX_DATASETS[name], name)]
    places = [place for one in named for place in (one / "raw", one)]
    if _is_called_after(name, folder):
        places += [folder / "raw", folder]
    return max((IdxFiles(place, _files_in(place)) for place in places), key=lambda one: len(one.found))


def images_in(folder: Path) -> list[str]:
    """Return the names of files in a folder, and two folders down, that may hold images; in order."""
    return sorted(name for name in islice(_names_in(folder), _MOST_LOOKED_AT) if _IMAGES.search(os.path.basename(name)))


def listed(names: list[str], most: int = 4) -> str:
    """Return names as words: `a, b and c`, or the first ones and how many more there are."""
    shown = names if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1:,} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _is_called_after(name: str, folder: Path) -> bool:
    path = Path(os.path.abspath(folder))
    called = (path.parent if path.name == "raw" else path).name.lower()
    return name == next((other for other, word in _WORDS.items() if word in called), "mnist")


def _files_in(place: Path) -> dict[str, Path]:
    found = {file: _find(place, file) for files in FILES.values() for file in files}
    return {file: path for file, path in found.items() if path is not None}


def _find(place: Path, file: str) -> Path | None:
    """A file under the name its authors gave it, or with a dot as Kaggle's copy has, gzipped or not, or in a folder."""
    spellings = (file, file.replace("-idx", ".idx"))
    paths = [place / f"{spelling}{end}" for spelling in spellings for end in ("", ".gz")]
    paths += [place / spelling / spelling for spelling in spellings]
    # Path.exists raises where a folder may not be entered or a name is too long, until Python 3.14; this says no.
    return next((path for path in paths if os.path.exists(path) and not os.path.isdir(path)), None)


def _names_in(folder: Path) -> Iterator[str]:
    for where, folders, files in os.walk(folder):
        relative = os.path.relpath(where, folder)
        depth = 0 if relative == os.curdir else relative.count(os.sep) + 1
        folders[:] = sorted(folders) if depth < _MAX_DEPTH else []
        yield from (os.path.normpath(os.path.join(relative, file)) for file in files)
