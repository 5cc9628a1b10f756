"""A bundle: a trained network as a folder of files, each measured as it was written."""

import datetime
import platform
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from models.arch import ArchSpec
from models.errors import WorkFailedError
from trainer.alone.clean import FileFailedError
from trainer.bundle.aside import written_aside
from trainer.bundle.forms import FORMS, Form, run_forms
from trainer.bundle.judged import Judged, judge
from trainer.bundle.manifest import file_facts, is_bundle, write_manifest
from trainer.bundle.other_origins import read_other_origins
from trainer.bundle.vectors import vectors_of
from trainer.bundle.written import Written, write_forms
from trainer.data.images import Dataset, Images
from trainer.data.names import class_names
from trainer.formats.trained import TrainedNetwork
from trainer.hardware.machine import cpu_name

CARD_FILE = "MODEL_CARD.md"
_TIMED_SECONDS = 1.0
_PACKAGES = ("mnist-search", "torch", "numpy", "safetensors", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Story:
    """Where a network comes from, as plain data that the manifest keeps."""

    name: str
    source: Mapping[str, Any]
    """Of what it is the network: kind (verification, trial or training), seed, epochs, number format, ..."""
    verification: Mapping[str, Any] | None = None
    """What fresh seeds came to; None of a network that nobody verified."""
    found: Mapping[str, Any] = field(default_factory=dict)
    """The study that found it, and among how many."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """What does it again."""

    @property
    def is_verified(self) -> bool:
        """Whether fresh seeds have proven that it is at its target."""
        return self.verification is not None and bool(self.verification["verified"])


@dataclass(frozen=True)
class Workshop:
    """How bundles are made: with or without int8, how long each file is timed, who words the card and who listens."""

    write_card: Callable[[Mapping[str, Any]], str]
    has_int8: bool = True
    timed_seconds: float = _TIMED_SECONDS
    say: Callable[[str], None] = lambda _: None


def make_bundle(
    network: TrainedNetwork, dataset: Dataset, learned: Images, story: Story, folder: Path, workshop: Workshop
) -> dict[str, Any]:
    """Writes a bundle and returns its manifest; `learned` are the images that the network was trained on.

    Each file is run by others than this program, over all test images, before the folder gets its name: what had the
    name before stays, should anything fail. Raises MnistSearchError if the folder cannot be written, WorkFailedError
    if a file cannot be run or does not compute what the network does.
    """
    with written_aside(folder, is_bundle) as made:
        logits = network.logits(dataset.test.pixels).numpy()
        workshop.say("writing the files")
        written = write_forms(network, story.name, learned, dataset.test, made, workshop.has_int8)
        workshop.say(f"running each of them over {len(dataset.test):,} test images, by itself")
        measured = _measured(written.forms, made, dataset.test, logits, workshop.timed_seconds)
        vectors_of(dataset.test, logits, {one.form: one.run for one in measured}).write(made)
        facts: dict[str, Any] = {
            "name": story.name,
            "dataset": dataset.name,
            "classes": class_names(dataset.name),
            "candidate": network.candidate.id,
            "architecture": _architecture(network.candidate.arch, written),
            "preprocessing": _preprocessing(network),
            "source": dict(story.source),
            "is_verified": story.is_verified,
            "verification": None if story.verification is None else dict(story.verification),
            "found": dict(story.found),
            "commands": dict(story.commands),
            "trained_network": _answers(logits, dataset.test),
            "other_origins": read_other_origins(network.folded, dataset.name) if dataset.name == "mnist" else [],
            "measured": [one.facts() for one in measured],
            "left_out": written.left_out,
            "made": _made(),
        }
        facts["files"] = {path.name: file_facts(path) for path in sorted(made.iterdir())}
        (made / CARD_FILE).write_text(workshop.write_card(facts), encoding="utf-8")
        facts["files"][CARD_FILE] = file_facts(made / CARD_FILE)
        write_manifest(facts, made)
    return facts


def _measured(forms: tuple[Form, ...], folder: Path, test: Images, logits: np.ndarray, seconds: float) -> list[Judged]:
    labels = test.labels.numpy()
    try:
        runs = run_forms(folder, forms, test.pixels, seconds)
    except WorkFailedError as error:  # it names files of the folder aside, which is gone when this is read
        raise FileFailedError(str(error).replace(f"{folder}/", "").replace(str(folder), "the bundle")) from None
    return [judge(form, runs[form], logits, labels) for form in FORMS if form in runs]


def _architecture(arch: ArchSpec, written: Written) -> dict[str, Any]:
    return {
        "params": arch.params,
        "macs": arch.macs,
        "receptive_field": arch.receptive_field,
        "weights_bytes": {"float32": 4 * arch.params, "int8": arch.params},
        "peak_activations_bytes": {"float32": 4 * arch.peak_activations, "int8": arch.peak_activations},
        "c": written.c_sizes,
    }


def _preprocessing(network: TrainedNetwork) -> dict[str, Any]:
    return {
        "image": "28x28, one channel, light on a black ground, row by row",
        "values": "uint8 of 0 to 255, or float32 of 0 to 1 (ONNX: float32 only; C: uint8 only)",
        "normalisation": "inside every file: (value of 0 to 1 - mean) / std",
        "mean": network.mean,
        "std": network.std,
    }


def _answers(logits: np.ndarray, test: Images) -> dict[str, Any]:
    """What the trained network says to the test images, and what it takes for what."""
    answers, labels = logits.argmax(1), test.labels.numpy()
    wrong = Counter((int(label), int(answer)) for label, answer in zip(labels, answers, strict=True) if label != answer)
    return {
        "n_images": len(labels),
        "n_right": int((answers == labels).sum()),
        "accuracy": float((answers == labels).mean()),
        "mistakes": [{"is": a, "read_as": b, "n": n} for (a, b), n in sorted(wrong.items(), key=lambda x: (-x[1], x))],
    }


def _made() -> dict[str, Any]:
    return {
        "at": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name)) is not None},
        "cpu": cpu_name(),
        "threads": 1,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
