"""A bundle checked later: that nothing is missing or changed, and that each file still computes what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.errors import MnistSearchError, WorkFailedError
from trainer.bundle.forms import FLOAT32, FORMS, PT2_FILE, Form, missing, run_forms
from trainer.bundle.judged import TOLERANCE
from trainer.bundle.manifest import MANIFEST_FILE, file_facts, read_manifest
from trainer.bundle.vectors import Vectors, read_vectors
from trainer.data.images import Images
from trainer.formats.pt2_reading import harmless

_INT8_TOLERANCE = 0.05
"""Of int8 logits, as a share of the largest: another processor's kernels may round a few sums otherwise."""
_ACCURACY_TOLERANCE = 0.0005


@dataclass(frozen=True)
class Checked:
    """A bundle in which no fault was found."""

    manifest: dict[str, Any]
    n_files: int
    n_vectors: int
    accuracies: dict[Form, float | None]
    """Of each form that was run: on the test images, None where these were not at hand."""
    not_run: dict[Form, str]
    """What has to be installed before the others can be."""
    added: list[str]
    """Files that are there too, and are no part of it: a compiled program, a cache."""


def check_bundle(folder: Path, find_test: Callable[[str], Images | None]) -> Checked:
    """Checks a bundle; `find_test` gives the test images of a dataset, or None where they are not at hand.

    It runs what is in the bundle: `load_weights.py`, and `model.c` compiled. Raises MnistSearchError that names every
    file that is missing or changed, else each that does not run here, else each of another network.
    """
    manifest = read_manifest(folder)
    _refuse(folder, _changed(folder, manifest))
    vectors, test = read_vectors(folder), find_test(manifest["dataset"])
    forms = [form for form in FORMS if _was_measured(form, manifest)]
    if any(form.file == PT2_FILE for form in forms):
        harmless(folder / PT2_FILE)  # what was compiled or is called `load_weights.py` can be read; a pickle hides
    not_run = {form: reason for form in forms if (reason := missing(form)) is not None}
    logits = _logits(folder, [form for form in forms if form not in not_run], vectors, test, manifest)
    n = len(vectors.labels)
    _refuse(folder, [fault for form, of in logits.items() if (fault := _wrong_on_vectors(form, of[:n], vectors))])
    accuracies = {form: None if test is None else _accuracy(of[n:], test) for form, of in logits.items()}
    n_test = 1 if test is None else len(test)
    _refuse(
        folder, [fault for form, of in accuracies.items() if (fault := _broken_promise(form, of, n_test, manifest))]
    )
    return Checked(manifest, len(manifest["files"]), n, accuracies, not_run, _added(folder, manifest))


def _refuse(folder: Path, faults: list[str]) -> None:
    if faults:
        raise MnistSearchError(f"{folder} is damaged: {'; '.join(faults)}; do not use it")


def _changed(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    """The files that are missing, or are not as they were written."""
    faults = []
    for name, facts in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name} is missing")
            continue
        found = file_facts(path)
        if found["size_bytes"] != facts["size_bytes"]:
            faults.append(f"{name} has {found['size_bytes']:,} bytes and not {facts['size_bytes']:,}")
        elif found["sha256"] != facts["sha256"]:
            faults.append(f"{name} was changed: its checksum is not that of the manifest")
    return faults


def _added(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    known = {MANIFEST_FILE, *manifest["files"]}
    return sorted(path.name for path in folder.iterdir() if path.name not in known)


def _was_measured(form: Form, manifest: Mapping[str, Any]) -> bool:
    return any((one["file"], one["numbers"]) == (form.file, form.numbers) for one in manifest["measured"])


def _logits(
    folder: Path, forms: list[Form], vectors: Vectors, test: Images | None, manifest: Mapping[str, Any]
) -> dict[Form, np.ndarray]:
    """Of each form, for the test vectors and then the test images."""
    images = torch.from_numpy(vectors.images)
    images = images if test is None else torch.cat([images, test.pixels])
    try:
        return {form: run.logits for form, run in run_forms(folder, forms, images).items()}
    except WorkFailedError as error:
        first = str(error)
    faults = [fault for form in forms if (fault := _run_fault(folder, form, images)) is not None]
    raise MnistSearchError(
        f"{folder} is as it was written, but does not run here: {'; '.join(dict.fromkeys(faults)) or first} "
        f"(made with {_made_with(manifest)})"
    )


def _made_with(manifest: Mapping[str, Any]) -> str:
    packages = manifest.get("made", {}).get("packages", {})
    return ", ".join(f"{name} {version}" for name, version in packages.items()) or "unknown versions"


def _run_fault(folder: Path, form: Form, images: torch.Tensor) -> str | None:
    """Why a form cannot be run, by itself."""
    try:
        run_forms(folder, [form], images)
    except WorkFailedError as error:
        return str(error)
    return None


def _wrong_on_vectors(form: Form, logits: np.ndarray, vectors: Vectors) -> str | None:
    """What is to be said of a form that gives other logits than those in the test vectors."""
    wanted = vectors.wanted(form)
    if wanted is not None and _is_close(logits, wanted, TOLERANCE if form.numbers == FLOAT32 else _INT8_TOLERANCE):
        return None
    return f"{form.text} does not give the logits of the test vectors: it is another network's"


def _is_close(logits: np.ndarray, wanted: np.ndarray, tolerance: float) -> bool:
    largest = max(1.0, float(np.abs(wanted).max()))
    return logits.shape == wanted.shape and float(np.abs(logits - wanted).max()) <= tolerance * largest  # no for NaN


def _accuracy(logits: np.ndarray, test: Images) -> float:
    return float((logits.argmax(1) == test.labels.numpy()).mean())


def _broken_promise(form: Form, accuracy: float | None, n_test: int, manifest: Mapping[str, Any]) -> str | None:
    """What is to be said of a form that has fewer test images right than the manifest says, or more."""
    promised = {(one["file"], one["numbers"]): one["accuracy"] for one in manifest["measured"]}[form.file, form.numbers]
    if accuracy is None or abs(accuracy - promised) <= max(_ACCURACY_TOLERANCE, 1.5 / n_test):  # an image, of few
        return None
    return f"{form.text} has {accuracy:.2%} of the test images right and not {promised:.2%}"
