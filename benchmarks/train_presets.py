"""Trains every preset under the budget on real MNIST, as its source reports, and writes the table reported / ours.

    MNIST_SEARCH_DATA=DIR python benchmarks/train_presets.py [--workers 2] [--only NAME...]

Each preset is one `mnist-search train NAME --json` on one thread: all 60,000 training images, the test accuracy after
each epoch. Results are written as they come, so that it can be stopped and started again. It writes
`models/presets/measured.json` (which `mnist-search presets` shows) and `benchmarks/results/presets.md`.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from models.presets import PRESETS, Preset
from models.presets.measured import RESULTS_FILE
from search.measures.words import percent

BUDGET = 10_000
TABLE_FILE = Path(__file__).parent / "results" / "presets.md"
COMMAND = "MNIST_SEARCH_DATA=DIR python benchmarks/train_presets.py"
KEPT = (
    "dataset", "split", "seed", "epochs", "sustained_accuracy", "best_accuracy", "best_train_accuracy",
    "train_accuracy", "gap", "held", "seconds", "device", "dtype", "torch",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="these presets, again if need be")
    options = parser.parse_args()
    results = json.loads(RESULTS_FILE.read_text()) if RESULTS_FILE.exists() else {"presets": {}}
    wanted = [
        preset
        for preset in PRESETS.values()
        if preset.arch.params < BUDGET
        and (preset.name in options.only if options.only else preset.name not in results["presets"])
    ]
    wanted.sort(key=lambda preset: -preset.arch.macs)  # the longest first, so that the workers end together
    with ThreadPoolExecutor(options.workers) as pool:
        for done in as_completed([pool.submit(train, preset) for preset in wanted]):
            keep(results, *done.result())
    TABLE_FILE.parent.mkdir(exist_ok=True)
    TABLE_FILE.write_text(table(results))


def train(preset: Preset) -> tuple[Preset, dict[str, Any]]:
    """One training, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["train", preset.name, "--dataset", "mnist", "--json", "--storage", f"sqlite:///{folder}/runs.db"]
        program = [sys.executable, "-c", "from search.cli import main; main()"]
        done = subprocess.run([*program, *command], stdout=subprocess.PIPE, check=True, text=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    return preset, facts


def keep(results: dict[str, Any], preset: Preset, facts: dict[str, Any]) -> None:
    """Writes one more result to the file."""
    results["presets"][preset.name] = {key: facts[key] for key in KEPT} | {
        "last_epochs": [epoch["eval_accuracy"] for epoch in facts["curves"][-5:]],
        "candidate": facts["candidate"],
    }
    results |= {"date": datetime.date.today().isoformat(), "machine": machine(), "command": COMMAND}
    RESULTS_FILE.write_text(json.dumps(results, indent=1) + "\n")
    print(f"{preset.name}: {facts['sustained_accuracy']:.2%} sustained, {facts['seconds']:.0f} s", flush=True)


def machine() -> str:
    """The processor, its cores, and the versions."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}"


def table(results: dict[str, Any]) -> str:
    """The Markdown page."""
    lines = [
        "# Reported and ours",
        "",
        f"Trained on {results['date']}; {results['machine']}; one run each (seed 0), one CPU thread, two at a time:",
        f"`{COMMAND}`.",
        "All 60,000 training images; accuracy on the 10,000 test images after each epoch; nothing was chosen by it.",
        "*reported* is the mean of the last epochs the source quotes (up to three; with a star, only a best epoch is",
        "quoted, and stands in), *best* its best epoch; *ours* is the mean of the last three epochs. The difference,",
        "ours minus reported, is in percentage points. Seconds are wall time of a machine that may have been busy.",
        "",
        "| preset | params | epochs | reported | best | ours | our best | difference | last five epochs | train | s |",
        "| :-- | --: | --: | --: | --: | --: | --: | --: | :-- | --: | --: |",
    ]
    for preset in PRESETS.values():
        ours = results["presets"].get(preset.name)
        lines.append(_row(preset, ours) if ours else _rejected(preset))
    return "\n".join(lines) + "\n"


def reported_accuracy(preset: Preset) -> float:
    """What our sustained accuracy is to be compared with; the best epoch where nothing else is quoted."""
    last = preset.reported[-3:]
    return sum(last) / len(last) if last else preset.reported_best


def _row(preset: Preset, ours: dict[str, Any]) -> str:
    reported = reported_accuracy(preset)
    difference = 100 * (ours["sustained_accuracy"] - reported)
    star = "" if preset.reported else "*"
    cells = [
        preset.name,
        f"{preset.arch.params:,}",
        str(ours["epochs"]),
        f"{percent(reported)}{star}",
        percent(preset.reported_best),
        percent(ours["sustained_accuracy"]),
        percent(ours["best_accuracy"]),
        f"{difference:+.2f}",
        " ".join(f"{100 * accuracy:.2f}" for accuracy in ours["last_epochs"]),
        percent(ours["train_accuracy"]),
        f"{ours['seconds']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def _rejected(preset: Preset) -> str:
    reason = "rejected by the gate: over 10,000 parameters" if preset.arch.params >= BUDGET else "not trained"
    cells = [preset.name, f"{preset.arch.params:,}", str(preset.candidate.recipe.epochs)]
    cells += [percent(reported_accuracy(preset)), percent(preset.reported_best), reason, *[""] * 5]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
