"""Is an arm proven to fail more often than the control, by more than is tolerated? Pure, and so are the guardrails.

Failed keys are rare, and where the control has none no interval exists. So errors are asked exactly: an increase above
`tolerated` is proven where for some rate q both "the arm's rate is at most q + tolerated" and "the control's rate is at
least q" are refuted, each at half of alpha, at any number of looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any, NamedTuple

from inference.analysis.eprocess import BernoulliProcess
from inference.analysis.sequences import MIN_UNITS, Interval

ALPHA = 0.01
N_RATES = 60
LEAST_RATE = 1e-6


class Breach(NamedTuple):
    """`guardrail` is a key of the experiment's guardrails."""

    arm: str
    guardrail: str
    tolerated: float


class Failures(NamedTuple):
    """`k` of `n` keys met a failed answer."""

    n: int
    k: int


def increase_is_proven(arm: Failures, control: Failures, tolerated: float, n_compared: int = 1) -> bool:
    if not (arm.n and control.n) or arm.k / arm.n <= control.k / control.n + tolerated:
        return False
    needed = log(2 * n_compared / ALPHA)
    low, high = max(control.k / control.n, LEAST_RATE), arm.k / arm.n - tolerated
    steps = [low * (high / low) ** (step / N_RATES) for step in range(N_RATES + 1)] if high > low else []
    return any(_refuted(arm, control, rate, tolerated, needed) for rate in steps)


def _refuted(arm: Failures, control: Failures, rate: float, tolerated: float, needed: float) -> bool:
    if not 0 < rate < rate + tolerated < 1 and not (tolerated == 0 and 0 < rate < 1):
        return False
    above, below = BernoulliProcess(rate + tolerated, "above"), BernoulliProcess(rate, "below")
    above.add(*arm)
    below.add(*control)
    return above.ln_e >= needed and below.ln_e >= needed


def sign_of_difference(arm: Failures, control: Failures, n_compared: int = 1) -> float | None:
    """The arm's share of failed keys minus the control's, where it is proven that they differ; else None."""
    if min(arm.n, control.n) < MIN_UNITS:
        return None
    if increase_is_proven(arm, control, 0.0, n_compared) or increase_is_proven(control, arm, 0.0, n_compared):
        return arm.k / arm.n - control.k / control.n
    return None


def breaches(
    guardrails: Mapping[str, Any],
    failures: Mapping[str, Failures],
    slower: Mapping[str, Interval | None],
    control: str,
) -> list[Breach]:
    """`failures` of every arm; `slower` holds the others' mean seconds minus the control's."""
    found = []
    for arm in (arm for arm in failures if arm != control):
        tolerated = guardrails.get("error_increase")
        if tolerated is not None and increase_is_proven(failures[arm], failures[control], tolerated, len(failures) - 1):
            found.append(Breach(arm, "error_increase", tolerated))
        tolerated, interval = guardrails.get("latency_increase"), slower.get(arm)
        if tolerated is not None and interval is not None and interval.low > tolerated:
            found.append(Breach(arm, "latency_increase", tolerated))
    return found
