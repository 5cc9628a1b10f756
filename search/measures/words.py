"""How numbers are worded, wherever they are told: on a terminal, in a report, on the dashboard."""

import math
import shlex
from collections.abc import Sequence


def percent(fraction: float | None) -> str:
    """An accuracy as `99.43%`, never rounded up past a target it missed; a dash for none."""
    if fraction is None or not math.isfinite(fraction):
        return "-"
    return f"{math.floor(fraction * 1e4 + 1e-6) / 1e2:.2f}%"


def points(fraction: float | None) -> str:
    """A difference of accuracies in percentage points, as `-0.32`; a dash for none."""
    return "-" if fraction is None else f"{100 * fraction:+.2f}"


def seconds_text(seconds: float | None) -> str:
    """A duration as `4.2 s`, `3 min 05 s` or `1 h 02 min`; a dash for none."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count_text(n: int | None) -> str:
    """A count with thousands separated; a dash for none."""
    return "-" if n is None else f"{n:,}"


def plural(n: int, word: str) -> str:
    """A counted word: `1 seed`, `5 seeds`."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def command_text(words: Sequence[str], width: int = 80) -> str:
    """A command for a shell, broken before options so that no line grows longer than `width` without need."""
    groups: list[str] = []
    for word in words:
        if word.startswith("--") or not groups:
            groups.append(shlex.quote(word))
        else:
            groups[-1] += f" {shlex.quote(word)}"
    lines = groups[:1]
    for group in groups[1:]:
        if len(lines[-1]) + len(group) + len("  \\") > width:
            lines.append(f"  {group}")
        else:
            lines[-1] += f" {group}"
    return " \\\n".join(lines)


def bytes_text(n: int) -> str:
    """A size in binary units, such as `30.3 KiB`."""
    return f"{n:,} B" if n < 1024 else f"{n / 1024:,.1f} KiB" if n < 1024**2 else f"{n / 1024**2:,.1f} MiB"


def macs_text(macs: int) -> str:
    """Multiply-accumulates in thousands or millions: `1.3M`."""
    return f"{macs / 1e6:,.1f}M" if macs >= 1e6 else f"{macs / 1e3:,.0f}k"


def starting_text(n_workers: int) -> str:
    """Return the message printed while workers start, which takes seconds."""
    return f"starting {plural(n_workers, 'worker')}…"
