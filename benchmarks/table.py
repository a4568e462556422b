"""Prints results: one table per benchmark, with the machine it was measured on."""

from __future__ import annotations

import math
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def heading(title: str) -> None:
    """A load well above zero before the start means that somebody else was measured too."""
    load = os.getloadavg()[0]
    print(f"{title}\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {platform.machine()}, {n_cores()} cores · ", end="")
    print(f"Python {platform.python_version()} · load before: {load:.1f}\n", flush=True)


def n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def show(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table in Markdown: the first column on the left, numbers on the right."""
    cells = [list(columns), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(2, *(len(row[index]) for row in cells)) for index in range(len(columns))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in [cells[0], rule, *cells[1:]]:
        others = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("| " + " | ".join([row[0].ljust(widths[0]), *others]) + " |")
    print(flush=True)


def _text(cell: object) -> str:
    """Three significant figures; thousands apart."""
    if cell is None:
        return ""
    if isinstance(cell, int) or (isinstance(cell, float) and abs(cell) >= 1000):
        return f"{cell:,.0f}".replace(",", " ")
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` (0 to 1) of all lie at or below."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(round(len(ordered) * share, 6)) - 1)] if ordered else float("nan")
