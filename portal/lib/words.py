"""Numbers as people read them: units, percent, sizes, durations. Plain text, so that pages and messages agree."""

from __future__ import annotations

from typing import Any

# Between digits and before a unit: narrow, and no line break there.
NARROW = "\N{NARROW NO-BREAK SPACE}"


def number(value: Any) -> str:
    """12345 -> 12 345."""
    if value is None or value == "":
        return "–"
    return f"{value:,}".replace(",", NARROW)


def size(value: int | None) -> str:
    """Bytes in decimal units: 91 B, 1.4 MB."""
    if value is None:
        return "–"
    amount, units = float(value), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    digits = 1 if units[0] != "B" and amount < 99.95 else 0
    return f"{amount:.{digits}f}{NARROW}{units[0]}"


def plain_percent(weight_bp: int | None) -> str:
    """Basis points as percent without the sign: 9000 -> 90, 50 -> 0.5."""
    text = f"{(weight_bp or 0) / 100:.2f}"
    return text.rstrip("0").rstrip(".")


def percent(weight_bp: int | None) -> str:
    """Basis points as percent: 9000 -> 90 %."""
    return f"{plain_percent(weight_bp)}{NARROW}%"


def seconds(value: float | None) -> str:
    """A duration with its unit: 38 ms, 1.2 s, 4 min, 2 h."""
    if value is None:
        return "–"
    for below, factor, digits, unit in (
        (0.001, 1e6, 0, "µs"),
        (0.00995, 1e3, 1, "ms"),
        (0.9995, 1e3, 0, "ms"),
        (9.95, 1, 1, "s"),
        (90, 1, 0, "s"),
        (5400, 1 / 60, 0, "min"),
    ):
        if value < below:
            return f"{value * factor:.{digits}f}{NARROW}{unit}"
    return f"{value / 3600:.1f}{NARROW}h"
