"""Tests that may be looked at after every batch: non-negative supermartingales that start at 1.

If there is no harm, the chance that E ever reaches 1/alpha is at most alpha, however often and for whatever reason
somebody looks (Ville's inequality). All logarithms are natural. Batches multiply, so their order does not matter, and
pauses, changes of weight and restarts need no reset.
"""

from __future__ import annotations

from math import log
from typing import Literal, NamedTuple

import numpy as np

from inference.analysis.grid import N_POINTS, half_normal, ln_mean_exp, log_ratios, mean_ln_e, normalized

__all__ = ["BernoulliProcess", "Counts4", "DifferenceProcess", "LabelProcess", "mean_ln_e"]

_LABEL_GRID = log_ratios(100)
_LABEL_PRIOR = half_normal(_LABEL_GRID)
_ODDS_GRID = log_ratios(50)
_ODDS_PRIOR = half_normal(_ODDS_GRID)
# A certificate has to be quick where nobody fails (odds near 100) and possible where many do (odds near 1).
_BETS = np.geomspace(log(1.02), log(100), N_POINTS)
_BETS_PRIOR = normalized(np.log(_BETS) / 2)


class Counts4(NamedTuple):
    """Exposures and bad events of the canary and of the stable arm. Exposures may be weights, thus fractions."""

    n_c: float
    n_s: float
    k_c: int
    k_s: int

    def plus(self, other: Counts4) -> Counts4:
        return Counts4(self.n_c + other.n_c, self.n_s + other.n_s, self.k_c + other.k_c, self.k_s + other.k_s)


class LabelProcess:
    """H0: bad events are at most `theta0` times as frequent in the canary as in the stable arm.

    It looks at bad events only and asks which arm they came from. Under H0 the factor of a batch has an expectation of
    at most 1 for every base rate, because 1 + x <= exp(x) and the base rate cancels out of the exponent.
    Lindon and Malek 2022, arXiv 2011.03567.
    """

    def __init__(self, theta0: float = 1.0, likelihoods: np.ndarray | None = None) -> None:
        """`likelihoods`, shape (40,), continues from an earlier `state`. ValueError unless `theta0` is above 0."""
        if theta0 <= 0:
            raise ValueError("theta0 must be above 0.")
        self._theta0 = theta0
        self._theta = theta0 * np.exp(_LABEL_GRID)
        self._likelihoods = np.zeros_like(_LABEL_GRID) if likelihoods is None else np.array(likelihoods, dtype=float)

    def add(self, n_c: float, n_s: float, k_c: int, k_s: int) -> None:
        """One batch. Without exposures in both arms it says nothing about their ratio."""
        if n_c <= 0 or n_s <= 0 or not (k_c or k_s):
            return
        ln_spread = np.log((n_c * self._theta + n_s) / (n_c * self._theta0 + n_s))
        self._likelihoods += k_c * _LABEL_GRID - (k_c + k_s) * ln_spread

    @property
    def ln_e(self) -> float:
        return ln_mean_exp(_LABEL_PRIOR, self._likelihoods)

    @property
    def state(self) -> list[float]:
        return [float(value) for value in self._likelihoods]


class BernoulliProcess:
    """One-sided test of a rate. "above": H0 rate <= p0, grows when events are more frequent. "below": H0 rate >= p0."""

    def __init__(self, p0: float, side: Literal["above", "below"] = "above") -> None:
        """ValueError unless 0 < p0 < 1."""
        if not 0 < p0 < 1:
            raise ValueError("p0 must lie between 0 and 1.")
        self._ln_odds = _ODDS_GRID if side == "above" else -_ODDS_GRID
        self._ln_norm = np.log1p(p0 * np.expm1(self._ln_odds))
        self._likelihoods = np.zeros_like(_ODDS_GRID)

    def add(self, n: float, k: float) -> None:
        """`k` events among `n` trials."""
        self._likelihoods += k * self._ln_odds - n * self._ln_norm

    @property
    def ln_e(self) -> float:
        return ln_mean_exp(_ODDS_PRIOR, self._likelihoods)


class DifferenceProcess:
    """H0: the canary's rate is at least `delta` above the stable arm's; it grows as the opposite gets certain.

    For odds ratios theta > 1 and a = 1 - 1/theta, a batch multiplies E by

        (1 - a)^k_c  (1 + b)^k_s  (1 - a delta)^(-n_c)      with b = a n_c / ((1 - a delta) n_s).

    For a stable rate p its expectation under H0 is at most
    ((1 - a (p + delta)) / (1 - a delta))^n_c (1 + b p)^n_s. The logarithm of that is concave in p, and b is chosen so
    that its slope at p = 0 is zero: the expectation never exceeds 1, whatever p is and however it changes from batch
    to batch. Without stable requests this is the Bernoulli test of "rate >= delta", because no rate is below zero.
    """

    def __init__(self, delta: float) -> None:
        """ValueError unless 0 < delta < 1."""
        if not 0 < delta < 1:
            raise ValueError("delta must lie between 0 and 1.")
        a = -np.expm1(-_BETS)
        self._odds_of_bet = a / (1 - a * delta)
        self._ln_norm = np.log1p(-a * delta)
        self._likelihoods = np.zeros_like(_BETS)

    def add(self, n_c: float, n_s: float, k_c: float, k_s: float) -> None:
        """One batch; without canary requests it says nothing."""
        if n_c <= 0:
            return
        self._likelihoods -= k_c * _BETS + n_c * self._ln_norm
        if n_s > 0 and k_s:
            self._likelihoods += k_s * np.log1p(self._odds_of_bet * n_c / n_s)

    @property
    def ln_e(self) -> float:
        return ln_mean_exp(_BETS_PRIOR, self._likelihoods)
