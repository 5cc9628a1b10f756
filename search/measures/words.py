"""How numbers are worded, wherever they are told: on a terminal, in a report, on the dashboard."""

import math


def percent(fraction: float | None) -> str:
    """An accuracy as `99.43%`, never rounded up past a target it missed; a dash for none."""
    return "-" if fraction is None else f"{math.floor(fraction * 1e4 + 1e-6) / 1e2:.2f}%"


def points(fraction: float | None) -> str:
    """A difference of accuracies in percentage points, as `-0.32`; a dash for none."""
    return "-" if fraction is None else f"{100 * fraction:+.2f}"


def seconds_text(seconds: float | None) -> str:
    """A duration as `4.2 s`, `3 min 05 s` or `1 h 02 min`; a dash for none."""
    if seconds is None:
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


def bytes_text(n: int) -> str:
    """A size in binary units, such as `30.3 KiB`."""
    return f"{n:,} B" if n < 1024 else f"{n / 1024:,.1f} KiB" if n < 1024**2 else f"{n / 1024**2:,.1f} MiB"


def macs_text(macs: int) -> str:
    """Multiply-accumulates in thousands or millions: `1.3M`."""
    return f"{macs / 1e6:,.1f}M" if macs >= 1e6 else f"{macs / 1e3:,.0f}k"
