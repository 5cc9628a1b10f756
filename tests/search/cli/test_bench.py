"""`bench` through the command line: bad input, and its end by a signal."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.helpers.cli import call, start
from tests.helpers.running import descendants, left_alive


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--rounds 0", "--rounds 0: measure at least 1 round"),
        ("--images 100", "--images 100: a round has at least two batches, 256 images"),
        ("--precision half", "unknown precision 'half': use auto, float32 or bfloat16"),
        ("--device tpu", "unknown device 'tpu': use auto, cpu, cuda or mps"),
    ],
)
@pytest.mark.usefixtures("own_folder")
def test_bad_input(arguments: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["bench", *arguments.split()], capsys) == (2, "", f"mnist-search: {text}\n")


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_no_process_outlives_it(how: signal.Signals, tmp_path: Path) -> None:
    """Caught while the sources' loop trains, whose DataLoader has processes of its own."""
    process = start(["bench", "--device", "cpu", "--images", "60000", "--precision", "float32"], tmp_path)
    try:
        deadline = time.monotonic() + 120
        # The workers, the sources' loops, the resource tracker, and two of a DataLoader.
        while len(alive := descendants(process.pid)) < 7 and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        assert len(alive) >= 7
        os.kill(process.pid, how)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    assert left_alive(alive) == []
