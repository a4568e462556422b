"""Sums over keys to intervals: each metric is a ratio of two sums, and a key is what was drawn. Pure.

| metric | above | below | events |
|---|---|---|---|
| error | 1 where the key ever met a failed answer | 1 | such keys |
| latency | its seconds | its answers | keys |
| reward | its rewards | how many rewards | keys with a reward other than 0 |
| agreement | its right answers | its judged answers | the rarer of keys with and without a wrong one |
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from inference.analysis.sequences import Interval, Sums, ratio

ALPHA = 0.05
# Below this share of the squares a spread is nothing but rounding.
ROUNDING = 1e-12


class ArmSums(NamedTuple):
    """One arm's sums for one metric. `sums.n` are the keys that bear on it."""

    sums: Sums
    n_events: int

    @property
    def value(self) -> float | None:
        return self.sums.sum_y / self.sums.sum_x if self.sums.sum_x else None

    @property
    def varies(self) -> bool:
        """Without any spread among its keys an arm would seem to be known exactly."""
        found = self.value or 0.0
        sums = self.sums
        squares = sums.sum_yy - 2 * found * sums.sum_xy + found**2 * sums.sum_xx
        return squares > ROUNDING * max(sums.sum_yy, found**2 * sums.sum_xx)


NOTHING = ArmSums(Sums(0, 0.0, 0.0, 0.0, 0.0, 0.0), 0)


def counted(n: int, k: int) -> ArmSums:
    """`k` of `n` keys had the event."""
    return ArmSums(Sums(n, k, n, k, n, k), k)


def compare(arm: ArmSums, control: ArmSums, planned_size: int, n_compared: int = 1) -> Interval | None:
    """The arm's value minus the control's; None until both have enough.

    `planned_size` counts keys per arm. With several arms beside the control each gets its part of the five percent.
    """
    n_events = min(arm.n_events, control.n_events)
    if not (arm.varies and control.varies):
        return None
    found = ratio(arm.sums, control.sums, 2 * planned_size, ALPHA / n_compared, n_events=n_events)
    return found if found is not None and all(isfinite(value) for value in found) else None
