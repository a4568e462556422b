"""What one process has counted of an arm, or of a shadow, since it last wrote it down."""

from __future__ import annotations

from collections import Counter
from typing import Any

from inference.monitoring import histogram
from inference.monitoring.histogram import Counts
from inference.monitoring.warming import WarmUp

SHADOW = "shadow"
# How a pair may differ, and what the count of it is called in `details`.
KINDS = {"numeric": "numeric", "top1": "flips", "missing": "missing", "error": "errors"}


class Arm:
    """`n` answers of which the model spoilt `n_bad`. `latency` is of the good ones, without those of the warm-up.

    `units` maps keys to [unit, answers, bad ones, seconds of all]. `codes` counts bad answers by their code, and
    `contract` those whose outputs broke the signature. `streak` is the longest row of time-outs, which may have begun
    before. `warm_up` is as things stood after so many loads as `n_loads`.
    """

    __slots__ = (
        "codes",
        "contract",
        "latency",
        "n",
        "n_bad",
        "n_loads",
        "n_warm_up",
        "streak",
        "units",
        "units_dropped",
        "warm_up",
    )

    def __init__(self, warm_up: WarmUp, n_loads: int) -> None:
        self.warm_up, self.n_loads = warm_up, n_loads
        self.n = self.n_bad = self.n_warm_up = self.contract = self.streak = self.units_dropped = 0
        self.latency: Counts = {}
        self.units: dict[int, list[float]] = {}
        self.codes: Counter[str] = Counter()

    def fields(self) -> dict[str, Any]:
        """As EvidenceWindow has them."""
        details: dict[str, Any] = {
            "timeouts_in_row": self.streak,
            "contract": self.contract,
            "units_dropped": self.units_dropped,
            "warm_up": self.n_warm_up,
        }
        found = {name: value for name, value in details.items() if value}
        if self.codes:
            found["codes"] = dict(self.codes)
        return {
            "n": self.n,
            "n_bad": self.n_bad,
            "latency": histogram.to_json(self.latency),
            "units": list(self.units.values()),
            "details": found,
        }


class Pairs:
    """Answers beside those of the shadow: `n` pairs, `n_bad` disagreements, by kind in `kinds`.

    `max_abs` is the largest difference between two numbers, None where none was found. `latency` is the shadow's.
    """

    __slots__ = ("kinds", "latency", "max_abs", "n", "n_bad")

    def __init__(self) -> None:
        self.n = self.n_bad = 0
        self.kinds: Counter[str] = Counter()
        self.max_abs: float | None = None
        self.latency: Counts = {}

    def fields(self) -> dict[str, Any]:
        """As EvidenceWindow has them."""
        details: dict[str, Any] = dict(self.kinds)
        if self.max_abs is not None:
            details["max_abs"] = self.max_abs
        return {"n": self.n, "n_bad": self.n_bad, "latency": histogram.to_json(self.latency), "details": details}
