"""Model files in a clean process: what they compute, and what cannot be run."""

import resource
import tempfile
from pathlib import Path

import numpy as np
import pytest

from models.errors import WorkFailedError
from tests.helpers.bundles import digits, network
from trainer.alone.clean import FileFailedError, run_files
from trainer.alone.run_files import all_logits

IMAGES = digits().test.pixels[:30].numpy()


@pytest.mark.parametrize(("by", "kinds"), [
    ("torch", [("pt2", "model.pt2"), ("tensors", "")]), ("onnxruntime", [("onnx", "model.onnx")]),
])  # fmt: skip
def test_files_compute_what_the_network_does(bundle: Path, by: str, kinds: list[tuple[str, str]]) -> None:
    runs = run_files([(kind, bundle / name) for kind, name in kinds], IMAGES, seconds=0.01)
    for run in runs:
        np.testing.assert_allclose(run.logits, network().logits(digits().test.pixels[:30]).numpy(), atol=1e-4)
        assert run.run_by.startswith(f"{by} ")
        assert run.latency_seconds is not None
        assert 1e-6 < run.latency_seconds < 1
        assert run.images_per_second is not None
        assert run.images_per_second > 1 / run.latency_seconds / 2, "a batch is no slower than one after the other"


def test_untimed_there_are_no_times(bundle: Path) -> None:
    [run] = run_files([("onnx", bundle / "model.onnx")], IMAGES)
    assert (run.latency_seconds, run.images_per_second) == (None, None)


def test_what_is_no_model_is_named_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(FileFailedError, match=rf"^{path} cannot be run: .+$") as caught:
        run_files([("onnx", path)], IMAGES)
    assert isinstance(caught.value, WorkFailedError)


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(FileFailedError) as caught:
            run_files([], IMAGES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value).startswith(f"the temporary folder {tmp_path} cannot take {IMAGES.nbytes:,} bytes (")
    assert str(caught.value).endswith("): make room in it, or name another with TMPDIR")


def test_a_file_that_brings_our_code_along_is_refused(tmp_path: Path) -> None:
    """The loader of a bundle must need nothing of ours, or it is of no use to who has the bundle alone."""
    source = f"import sys; sys.path.insert(0, {str(Path.cwd())!r})\nimport models\n"
    network = "def load_network(folder):\n    import torch\n    return lambda x: torch.zeros(len(x), 10)\n"
    (tmp_path / "load_weights.py").write_text(source + network)
    with pytest.raises(FileFailedError, match="this process is not clean: it imported models"):
        run_files([("tensors", tmp_path)], IMAGES)


def test_answers_that_depend_on_the_batch_or_the_format_are_refused() -> None:
    images = IMAGES[:, None]

    def by_batch(given: np.ndarray) -> np.ndarray:
        return np.full((len(given), 10), float(len(given)), np.float32)

    def by_format(given: np.ndarray) -> np.ndarray:
        return np.tile(given.mean((1, 2, 3), dtype=np.float32)[:, None], 10)

    for run in (by_batch, by_format):
        with pytest.raises(
            SystemExit, match="the answers depend on the batch, or on whether images are uint8 or float"
        ):
            all_logits(run, images)
    same = all_logits(lambda given: np.ones((len(given), 10), np.float32), images)
    assert same.shape == (30, 10)
