"""Slow proofs, run by `make proofs`: soaks, and full trainings on real MNIST (MNIST_SEARCH_DATA must name it)."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.c_programs import SANITISED
from tests.helpers.cli import COMMAND, QUICK, environment, finish, start
from tests.helpers.running import outcomes, sql, states
from trainer.bundle.manifest import read_manifest
from trainer.c99.program import compiled
from trainer.data.images import load_idx_dataset

pytestmark = pytest.mark.slow

N_KILLS = 12
BUNDLE = Path(__file__).parent.parent / "docs" / "model"


def test_a_search_killed_again_and_again_ends_with_the_right_counts(tmp_path: Path) -> None:
    """kill -9 at a random moment, twelve times over, start-up and draws included."""
    rng = random.Random(0)
    arguments = ["run", "--trials", "30", "--workers", "2", *QUICK, "--set", "batch_size=8"]
    for _ in range(N_KILLS):
        process = start(arguments, tmp_path)
        time.sleep(rng.uniform(3, 15))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    code, out, err = finish(arguments, tmp_path, timeout_seconds=600)
    assert code == 0, err
    assert set(states(tmp_path)) <= {"COMPLETE", "PRUNED", "FAIL"}
    counted = outcomes(tmp_path)
    assert sum(counted.get(name, 0) for name in ("trained", "pruned", "diverged", "failed")) == 30
    assert "trials     30 past the gate" in out
    candidates = "SELECT value_json, COUNT(*) FROM trial_user_attributes a JOIN trials USING (trial_id) " \
        "WHERE key = 'candidate_id' AND state = 'COMPLETE' GROUP BY 1 HAVING COUNT(*) > 1"  # fmt: skip
    assert sql(tmp_path, candidates) == [], "no candidate is trained twice"
    without = (
        "SELECT number FROM trials WHERE state = 'COMPLETE' AND trial_id NOT IN (SELECT trial_id FROM epoch_records)"
    )
    assert sql(tmp_path, without) == [], "every trained candidate has its epochs"


BARE = """
import gzip, sys, torch
def read(name, header):
    raw = open(f"{sys.argv[2]}/MNIST/raw/{name}", "rb").read()
    return torch.frombuffer(bytearray(raw[header:]), dtype=torch.uint8)
images = read("t10k-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28).float() / 255
labels = read("t10k-labels-idx1-ubyte", 8)
network = torch.export.load(sys.argv[1]).module()
with torch.no_grad():
    answers = torch.cat([network(batch) for batch in images.split(500)]).argmax(1)
print(int((answers == labels).sum()), "optuna" in sys.modules)
"""


def mnist_folder() -> Path:
    """Where MNIST is; skips the test if nobody says."""
    data = os.environ.get("MNIST_SEARCH_DATA")
    if not data or not (Path(data) / "MNIST" / "raw").is_dir():
        pytest.skip("MNIST_SEARCH_DATA does not name MNIST")
    return Path(data).absolute()


def test_a_search_on_mnist_its_training_and_its_file(tmp_path: Path) -> None:
    """A short search, its best trained again, and the exported file in a bare python on all 10,000 test images."""
    data = str(mnist_folder())
    env = {**environment(tmp_path), "MNIST_SEARCH_DATA": data}

    def mnist_search(*arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    status = json.loads(mnist_search("run", "--trials", "4", "--epochs", "4", "--workers", "2", "--json"))
    assert status["dataset"] == "mnist"
    assert status["best"]["sustained_accuracy"] > 0.97
    facts = json.loads(mnist_search("train", "best", "--epochs", "8", "--json", "--out", "out"))
    assert facts["sustained_accuracy"] > 0.985
    exported = facts["exported"]
    assert exported["trained_network"]["n_images"] == 10_000
    assert {one["n_different"] for one in exported["measured"] if one["numbers"] == "float32"} == {0}
    bare = subprocess.run(
        [sys.executable, "-I", "-c", BARE, str(tmp_path / "out" / "model.pt2"), data],
        capture_output=True,
        text=True,
        check=True,
    )
    n_right, has_optuna = bare.stdout.split()
    assert int(n_right) == round(10_000 * facts["curves"][-1]["eval_accuracy"])
    assert has_optuna == "False"


def test_the_c_code_of_the_committed_bundle_under_sanitizers(tmp_path: Path) -> None:
    """All 10,000 test images through both variants, with no complaint and the promised accuracy."""
    test = load_idx_dataset("mnist", mnist_folder()).test
    promised = {
        one["numbers"]: one["accuracy"] for one in read_manifest(BUNDLE)["measured"] if one["file"] == "model.c"
    }
    with compiled(BUNDLE / "model.c", SANITISED) as program:
        assert program.check().splitlines()[-1] == "all 20 as expected"
        for variant, numbers in (("f32", "float32"), ("int8", "int8")):
            answers = program.logits(variant, test.pixels.numpy()).argmax(1)  # type: ignore[arg-type]
            assert float((answers == test.labels.numpy()).mean()) == promised[numbers]
