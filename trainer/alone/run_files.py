"""Runs model files on images in a process that imports torch alone, or onnxruntime alone, and none of mnist-search.

    python -P run_files.py IMAGES.npy OUT.npz [--seconds S] KIND=FILE...

IMAGES are (N, 28, 28) uint8; KIND is pt2, tensors (a folder with load_weights.py) or onnx. OUT gets each file's logits
(N, 10), by its number among those given, from 0; stdout, as a JSON list, what runs it, and its speed if S is not 0.
"""

import argparse
import json
import pathlib
import runpy
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

FORBIDDEN = {"models", "trainer", "search", "storage", "optuna", "sqlalchemy"}
BATCH = 1000
Run = Callable[[np.ndarray], np.ndarray]
"""Images (B, 1, 28, 28), uint8 or float32 of 0..1, to logits (B, 10)."""


def open_pt2(path: str) -> tuple[Run, str]:
    import torch

    torch.set_num_threads(1)
    network = torch.export.load(path).module()
    return _by_torch(network), f"torch {torch.__version__}"


def open_tensors(path: str) -> tuple[Run, str]:
    import safetensors
    import torch

    torch.set_num_threads(1)
    network = runpy.run_path(str(pathlib.Path(path) / "load_weights.py"))["load_network"](path)
    return _by_torch(network), f"torch {torch.__version__}, safetensors {safetensors.__version__}"


def _by_torch(network: Callable[..., "object"]) -> Run:
    import torch

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()  # type: ignore[attr-defined,no-any-return]

    return run


def open_onnx(path: str) -> tuple[Run, str]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    [given], [wanted] = session.get_inputs(), session.get_outputs()

    def run(images: np.ndarray) -> np.ndarray:
        images = images / np.float32(255) if images.dtype == np.uint8 else images
        return session.run([wanted.name], {given.name: images})[0]  # type: ignore[no-any-return]

    return run, f"onnxruntime {onnxruntime.__version__}"


OPENERS = {"pt2": open_pt2, "tensors": open_tensors, "onnx": open_onnx}


def all_logits(run: Run, images: np.ndarray) -> np.ndarray:
    """Of all images: uint8 in large batches. A float batch, and an image alone, must come to the same."""
    logits = np.concatenate([run(images[at : at + BATCH]) for at in range(0, len(images), BATCH)])
    floats = images[:BATCH] / np.float32(255)
    for n, given in ((len(floats), floats), (1, floats[:1]), (1, images[:1])):
        if not np.allclose(run(given), logits[:n], rtol=1e-4, atol=1e-4):
            raise SystemExit("the answers depend on the batch, or on whether images are uint8 or float")
    return logits


def speed(run: Run, images: np.ndarray, seconds: float) -> dict[str, float]:
    """Median latency of one image, and images a second in batches, each measured for so long on one thread."""
    one, batch = images[:1] / np.float32(255), images[:BATCH] / np.float32(255)
    return {
        "latency_seconds": _median_seconds(lambda: run(one), seconds),
        "images_per_second": len(batch) / _median_seconds(lambda: run(batch), seconds),
    }


def _median_seconds(work: Callable[[], object], seconds: float) -> float:
    for _ in range(3):
        work()
    end = time.perf_counter() + seconds
    times: list[float] = []
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("images")
    parser.add_argument("out")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("files", nargs="+")
    words = parser.parse_args()
    images = np.load(words.images)[:, None]  # (N, 1, 28, 28)
    logits: list[np.ndarray] = []
    facts: list[dict[str, object]] = []
    for word in words.files:
        kind, _, path = word.partition("=")
        run, by = OPENERS[kind](path)
        logits.append(all_logits(run, images))
        facts.append({"run_by": by, **(speed(run, images, words.seconds) if words.seconds else {})})
    ours = FORBIDDEN & sys.modules.keys()
    if ours:
        raise SystemExit(f"this process is not clean: it imported {', '.join(sorted(ours))}")
    np.savez(words.out, **{str(i): of for i, of in enumerate(logits)})  # type: ignore[arg-type]
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
