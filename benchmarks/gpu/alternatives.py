"""What stands beside slots: equal networks trained as one, and Triton kernels between convolutions."""

from importlib.util import find_spec

import torch

from benchmarks.gpu import grouped, triton_block
from benchmarks.gpu.chip import PRESET
from benchmarks.gpu.setting import Row, Setting

_LAYOUTS = (torch.channels_last, torch.contiguous_format)


def equal_networks(setting: Setting) -> list[Row]:
    """Images a second of equal networks without augmentation: as one, and each in a graph and stream of its own."""
    batch = 8 if setting.is_trial else PRESET.candidate.recipe.batch_size
    rows = []
    for m in dict.fromkeys((2 if setting.is_trial else 8, max(2, setting.n_slots))):
        apart = max(grouped.measure_apart(m, batch, setting.device, layout=layout) for layout in _LAYOUTS)
        as_one = max(grouped.measure(m, batch, setting.device, layout=layout) for layout in _LAYOUTS)
        text = f"{as_one:,.0f} images/s, {as_one / apart:.2f} times as each by itself ({apart:,.0f})"
        rows.append(Row(f"{m} equal networks as one, no augmentation", text))
    return rows


def between_convolutions(setting: Setting) -> list[Row]:
    """Microseconds of a block forward and backward, by Triton and by torch, for the shapes of a-step5."""
    if not setting.device.startswith("cuda") or find_spec("triton") is None:
        return [Row("Triton between convolutions", "not run: it takes a GPU and triton")]
    batch, rows = PRESET.candidate.recipe.batch_size, []
    shapes = dict.fromkeys(row.output_shape for row in PRESET.candidate.arch.facts if row.params)
    for C, H, W in shapes:
        for dtype in (torch.float32, torch.bfloat16):
            taken = triton_block.measure((batch, C, H, W), setting.device, pool=False, dtype=dtype)
            name = str(dtype).removeprefix("torch.")
            text = f"{taken['triton']:.1f} µs, torch {taken['torch']:.1f} µs"
            rows.append(Row(f"Triton block {C}x{H}x{W}, {name}", text))
    return rows
