"""What a written file is held to: the answers of the trained network to the test images."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import WorkFailedError
from trainer.alone.clean import FileRun
from trainer.bundle.forms import INT8, Form

MAX_INT8_LOSS = 0.001
"""Of accuracy, which an int8 file may lose; or a single image, where a thousandth of the test images is less."""
TOLERANCE = 1e-4
"""Of a float file's logits, as a share of the largest."""


class MismatchError(WorkFailedError):
    """A file that does not compute what its network does: no wrong input, the work itself failed."""

    keeps_what_is_done = False


@dataclass(frozen=True)
class Judged:
    """What a form came to on the test images."""

    form: Form
    n_right: int
    n_images: int
    n_different: int
    """Answers other than the trained network's."""
    max_difference: float
    """The largest difference of a logit to the trained network's."""
    run: FileRun

    @property
    def accuracy(self) -> float:
        """A fraction of 1."""
        return self.n_right / self.n_images

    def facts(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {
            "file": self.form.file,
            "numbers": self.form.numbers,
            "run_by": self.run.run_by,
            "accuracy": self.accuracy,
            "n_different": self.n_different,
            "max_logit_difference": self.max_difference,
            "latency_seconds": self.run.latency_seconds,
            "images_per_second": self.run.images_per_second,
        }


def judge(form: Form, run: FileRun, logits: np.ndarray, labels: np.ndarray) -> Judged:
    """How a form compares with the trained network's `logits` (N, 10). Raises MismatchError if it is not to be used."""
    answers, wanted = run.logits.argmax(1), logits.argmax(1)
    judged = Judged(
        form,
        int((answers == labels).sum()),
        len(labels),
        int((answers != wanted).sum()),
        float(np.abs(run.logits - logits).max()),
        run,
    )
    fault = _fault(judged, int((wanted == labels).sum()), float(np.abs(logits).max()))
    if fault is not None:
        raise MismatchError(fault)
    return judged


def _fault(judged: Judged, n_right: int, largest: float) -> str | None:
    """Why a form is not to be used, of a network that has so many right; None if nothing speaks against it."""
    if judged.form.numbers == INT8:
        if not np.isfinite(judged.max_difference):
            return f"{judged.form.text} gives logits that are no numbers; it is not to be used"
        n_lost, n_allowed = n_right - judged.n_right, max(1.0, MAX_INT8_LOSS * judged.n_images)
        if n_lost <= n_allowed:
            return None
        return (
            f"{judged.form.text} loses {100 * n_lost / judged.n_images:.2f} points of accuracy on the "
            f"{judged.n_images:,} test images, more than the {100 * n_allowed / judged.n_images:.2f} allowed: "
            "--no-int8 leaves the int8 files out"
        )
    if judged.n_different == 0 and judged.max_difference <= TOLERANCE * max(1.0, largest):  # not so for NaN
        return None
    return (
        f"{judged.form.text} does not compute what the trained network does: {judged.n_different} of "
        f"{judged.n_images:,} images classified otherwise, logits differ by up to {judged.max_difference:.2g}; "
        "it is not to be used"
    )
