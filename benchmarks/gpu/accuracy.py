"""The accuracy that a GPU trains to, beside a CPU's in float32."""

import json
from statistics import fmean

from benchmarks import parity
from benchmarks.gpu.formats import sustained_accuracies
from benchmarks.gpu.setting import Row, Setting
from search.measures.statistics import difference

_CPU = "ours, float32"


def beside_the_cpu(setting: Setting) -> list[Row]:
    """The candidate of `benchmarks/parity.py` here, and on a CPU by its results, which are in the repository."""
    lines = map(json.loads, parity.RESULTS.read_text().splitlines())
    cpu = [line["sustained_accuracy"] for line in lines if line["way"] == _CPU]
    here = sustained_accuracies(parity.CANDIDATE, setting)
    found = difference(here, cpu)
    assert found.interval is not None
    text = f"{100 * fmean(here):.3f} % (n = {len(here)}), {100 * fmean(cpu):.3f} % (n = {len(cpu)}) on a CPU: "
    text += f"{100 * found.mean:+.3f} points, 95 % {100 * found.interval.low:+.3f} to {100 * found.interval.high:+.3f}"
    return [Row("accuracy in float32, here and on a CPU", text, "not told apart", not found.is_told_apart)]
