"""What was measured, in words: a table of 80 columns and a few sentences."""

import textwrap
from typing import Any

_HEAD = ("way", "device", "images/s", "core-s an epoch", "per core-s", "per s")
_BUSY = 0.9  # of the time on its core: below it others took more than the noise of the clock
_LEGEND = (
    "an epoch: {epoch_images:,} images, no test pass; per core-s, per s: images, times those of the sources' loop, "
    "the better of its lines"
)


def bench_text(facts: dict[str, Any]) -> str:
    """The whole result, without a last newline."""
    ways = [(device["device"], way) for device in facts["devices"] for way in device["ways"]]
    lines = [
        f"{facts['cpu']}, {facts['cores']} cores, torch {facts['torch']}",
        f"{facts['network']}, {facts['params']:,} parameters, batch {facts['batch_size']}; images: {facts['images']}",
        "",
        *_table([_HEAD, *(_cells(device, way) for device, way in ways)]),
        "",
        _LEGEND.format(**facts),
    ]
    for device in facts["devices"]:
        lines += ["", *_sentences(device)]
    lines += ["", f"the bench took {facts['seconds']:.0f} s"]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, 80, break_on_hyphens=False) or [""])


def _cells(device: str, way: dict[str, Any]) -> tuple[str, ...]:
    return (
        way["name"],
        device,
        f"{way['images_per_second']:,.0f}",
        f"{way['core_seconds']:.2f}",
        f"{way['times_sources_per_core_second']['median']:.2f}",
        f"{way['times_sources_per_second']['median']:.2f}",
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of the table: the first two columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _sentences(device: dict[str, Any]) -> list[str]:
    one, *several = [way for way in device["ways"] if not way["is_sources"]]
    on_cpu = device["device"] == "cpu"
    unit = "core-second" if on_cpu else "second"
    key = f"times_sources_per_{'core_second' if on_cpu else 'second'}"
    lines = [
        f"{device['device']}: one worker does {_times(one[key])} times the images per {unit} of the sources' loop "
        f"(median of {device['rounds']} rounds, {_range(one[key])})",
    ]
    lines += [_team_sentence(way, on_cpu) for way in several]
    if on_cpu and one["busy_share"] < _BUSY:
        lines.append("other processes had the cores at times: go by core-seconds, or measure again when it is idle")
    kernels = {True: "; fused kernels", False: "; no fused kernels"}[device["fused_kernels"]] if on_cpu else ""
    lines.append(f"precision {device['precision']} ({device['precision_reason']}){kernels}")
    start, start_core = device["start_seconds"], device["start_core_seconds"]
    memory = device["memory_bytes"] / 2**20
    lines.append(f"a worker starts in {start:.1f} s ({start_core:.1f} core-s) and takes up to {memory:,.0f} MiB")
    return lines


def _team_sentence(way: dict[str, Any], on_cpu: bool) -> str:
    ratio = way["times_one_worker"]
    by_core = f"; by core-seconds {_times(way['times_one_worker_by_core_seconds'])}" if on_cpu else ""
    return f"{way['name']} do {_times(ratio)} times the images per second of one ({_range(ratio)}){by_core}"


def _times(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f}"


def _range(ratio: dict[str, float]) -> str:
    return f"{ratio['low']:.2f} to {ratio['high']:.2f}"
