"""The forty alternatives that every e-process of this room bets on at once, and how their bets are averaged.

An e-value is the payoff of a bet that is fair, or worse than fair, as long as the null hypothesis holds. A mixture of
fair bets is fair, so nobody has to guess beforehand how big a harm would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

N_POINTS = 40
SIGMA = 1.5


def log_ratios(highest: float) -> np.ndarray:
    """Shape (40,): evenly spaced from ln 1.1 to ln `highest`."""
    return np.linspace(log(1.1), log(highest), N_POINTS)


def half_normal(at: np.ndarray) -> np.ndarray:
    """The logarithm of a half-normal prior of scale 1.5 at `at`, normalized over these points; same shape."""
    return normalized(-((at / SIGMA) ** 2) / 2)


def normalized(ln_weights: np.ndarray) -> np.ndarray:
    """The same weights, as logarithms, so that they sum to 1."""
    return ln_weights - float(np.logaddexp.reduce(ln_weights))


def ln_mean_exp(ln_weights: np.ndarray, ln_values: np.ndarray) -> float:
    """ln of the weighted mean of exp(`ln_values`), without overflow. Both have one shape."""
    return float(np.logaddexp.reduce(ln_weights + ln_values))


def mean_ln_e(values: Sequence[float]) -> float:
    """ln of the mean of e-values given by their logarithms: the mean of e-values is an e-value. Needs at least one."""
    return float(np.logaddexp.reduce(np.asarray(values, dtype=float))) - log(len(values))
