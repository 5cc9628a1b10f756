"""What a written file is held to."""

import numpy as np
import pytest

from trainer.alone.clean import FileRun
from trainer.bundle.forms import FLOAT32, INT8, Form
from trainer.bundle.judged import Judged, MismatchError, judge

FLOAT, WHOLE = Form("model.pt2", FLOAT32, "torch"), Form("model.c", INT8, "c")
LABELS = np.arange(4000) % 10


def logits_of(answers: np.ndarray) -> np.ndarray:
    logits: np.ndarray = np.eye(10, dtype=np.float32)[answers] * 10
    return logits


def judged(form: Form, logits: np.ndarray) -> Judged:
    return judge(form, FileRun(logits, "a test"), logits_of(LABELS), LABELS)


def misread(n: int) -> np.ndarray:
    """Logits that get the first n images wrong, which the network has right."""
    answers = LABELS.copy()
    answers[:n] = (answers[:n] + 1) % 10
    return logits_of(answers)


def test_what_is_the_same_passes() -> None:
    found = judged(FLOAT, logits_of(LABELS) + np.float32(5e-4))
    assert (found.n_right, found.n_different, found.accuracy) == (4000, 0, 1.0)
    assert found.max_difference == pytest.approx(5e-4, rel=1e-2)


def test_a_float_file_may_differ_in_no_answer() -> None:
    with pytest.raises(MismatchError) as caught:
        judged(FLOAT, misread(1))
    assert str(caught.value) == (
        "model.pt2 in float32 does not compute what the trained network does: 1 of 4,000 images classified otherwise, "
        "logits differ by up to 10; it is not to be used"
    )


def test_nor_much_in_a_logit() -> None:
    with pytest.raises(MismatchError, match=r"0 of 4,000 images classified otherwise, logits differ by up to 0\.002"):
        judged(FLOAT, logits_of(LABELS) * np.float32(1.0002))


def test_what_is_no_number_never_passes() -> None:
    for form in (FLOAT, WHOLE):
        logits = logits_of(LABELS)
        logits[7, 3] = np.nan
        with pytest.raises(MismatchError, match="it is not to be used") as caught:
            judged(form, logits)
        assert ("gives logits that are no numbers" in str(caught.value)) == (form is WHOLE)


def test_int8_may_lose_a_tenth_of_a_point() -> None:
    assert judged(WHOLE, misread(4)).n_different == 4
    with pytest.raises(MismatchError) as caught:
        judged(WHOLE, misread(5))
    assert str(caught.value) == (
        "model.c in int8 loses 0.12 points of accuracy on the 4,000 test images, more than the 0.10 allowed: "
        "--no-int8 leaves the int8 files out"
    )


def test_or_one_image_of_few() -> None:
    few = slice(0, 300)

    def of_few(n: int) -> Judged:
        return judge(WHOLE, FileRun(misread(n)[few], "a test"), logits_of(LABELS)[few], LABELS[few])

    assert of_few(1).n_right == 299
    with pytest.raises(MismatchError, match=r"loses 0\.67 points .* more than the 0\.33 allowed"):
        of_few(2)


def test_int8_may_well_be_right_where_the_network_is_wrong() -> None:
    found = judge(WHOLE, FileRun(logits_of(LABELS), "a test"), misread(50), LABELS)
    assert (found.n_right, found.n_different) == (4000, 50)
