"""Confidence sequences for experiments: intervals that hold at all looks at once, approximately, for many units.

Waudby-Smith et al., Annals of Statistics 2024, 10.1214/24-AOS2408.
"""

from __future__ import annotations

from math import log, sqrt
from typing import NamedTuple

MIN_UNITS = 100
MIN_EVENTS = 10


class Interval(NamedTuple):
    """The estimated difference "a minus b" and the bounds around it, all in the metric's own unit."""

    estimate: float
    low: float
    high: float


class Sums(NamedTuple):
    """One arm of a ratio metric y / x: its units and the sums over them."""

    n: int
    sum_y: float
    sum_x: float
    sum_yy: float
    sum_xx: float
    sum_xy: float


def difference(
    mean_a: float,
    var_a: float,
    n_a: int,
    mean_b: float,
    var_b: float,
    n_b: int,
    planned: int,
    alpha: float = 0.05,
    *,
    n_events: int = MIN_EVENTS,
) -> Interval | None:
    """The difference of two means. `planned`: units of both arms for which the interval is made tightest.

    `n_events` is that of the arm with fewer; None before 100 units and 10 events in each arm. `var_a` and `var_b` are
    variances of a unit.
    """
    if min(n_a, n_b) < MIN_UNITS or n_events < MIN_EVENTS:
        return None
    estimate = mean_a - mean_b
    margin = sqrt(var_a / n_a + var_b / n_b) * _widening(n_a + n_b, planned, alpha)
    return Interval(estimate, estimate - margin, estimate + margin)


def _widening(n: int, planned: int, alpha: float) -> float:
    """By how many standard errors the interval extends to each side; always more than a fixed-size test's 1.96."""
    tuned = -2 * log(alpha)
    spread = n * (tuned + log(tuned + 1)) / planned
    return sqrt(2 * (spread + 1) / spread * log(sqrt(spread + 1) / alpha))


def ratio(a: Sums, b: Sums, planned: int, alpha: float = 0.05, *, n_events: int = MIN_EVENTS) -> Interval | None:
    """The difference of two ratios of sums, sum_y / sum_x, by the delta method; None as for `difference`.

    None too where an arm's denominator is zero.
    """
    if min(a.n, b.n) < MIN_UNITS or not (a.sum_x and b.sum_x):
        return None
    of_a, of_b = _linearized(a), _linearized(b)
    return difference(*of_a, a.n, *of_b, b.n, planned, alpha, n_events=n_events)


def _linearized(sums: Sums) -> tuple[float, float]:
    """The ratio and the variance of a unit's contribution to it: that of (y - ratio x) / mean x."""
    found = sums.sum_y / sums.sum_x
    mean_x = sums.sum_x / sums.n
    squares = sums.sum_yy - 2 * found * sums.sum_xy + found**2 * sums.sum_xx
    return found, squares / (sums.n - 1) / mean_x**2
