"""Ville's bound, by seeded simulation: without harm a process crosses 1/alpha in at most a share alpha of the runs.

The level here is 1/20, so that some runs do cross it and a broken process would show. 400 runs of 200 looks: the bound
is 20 crossings, and by chance a process right at the bound stays below 35 with a probability of 99.9 %.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
import pytest

from inference.analysis.eprocess import BernoulliProcess, DifferenceProcess, LabelProcess

N_RUNS, N_LOOKS = 400, 200
Process = LabelProcess | BernoulliProcess | DifferenceProcess


def crossings(make: Callable[[], Process], rows: Callable[[np.random.Generator], np.ndarray], level: float = 20) -> int:
    """How many of the runs ever reach the level. `rows` gives an array (looks, arguments of add)."""
    rng = np.random.default_rng(11)
    crossed = 0
    for _ in range(N_RUNS):
        process = make()
        for row in rows(rng).tolist():
            process.add(*row)
            if process.ln_e >= log(level):
                crossed += 1
                break
    return crossed


def arms(rng: np.random.Generator, p_c: float, p_s: float, weight: float, per_look: float) -> np.ndarray:
    """Shape (looks, 4). The base rate triples halfway and the weight doubles, as peaks and ramps do."""
    peak = np.where(np.arange(N_LOOKS) < N_LOOKS // 2, 1, 3)
    n = rng.poisson(per_look * peak)
    n_c = rng.binomial(n, np.minimum(weight * np.where(peak == 1, 1, 2), 1))
    k_c, k_s = rng.binomial(n_c, p_c * peak), rng.binomial(n - n_c, p_s * peak)
    return np.stack([n_c, n - n_c, k_c, k_s], axis=1)


@pytest.mark.parametrize(("rate", "weight"), [(0.005, 0.05), (0.02, 0.25), (0.3, 0.5)])
def test_label__no_harm_at_all__rarely_crosses(rate: float, weight: float) -> None:
    assert crossings(LabelProcess, lambda rng: arms(rng, rate, rate, weight, 60)) <= 34


def test_label__harm_exactly_tolerated__rarely_crosses() -> None:
    assert crossings(lambda: LabelProcess(1.25), lambda rng: arms(rng, 0.025, 0.02, 0.25, 60)) <= 34


def test_label__three_times_the_errors__mostly_crosses() -> None:
    assert crossings(LabelProcess, lambda rng: arms(rng, 0.06, 0.02, 0.25, 60)) >= 390


def test_bernoulli__rate_right_at_the_line__rarely_crosses() -> None:
    def trials(rng: np.random.Generator) -> np.ndarray:
        n = rng.poisson(20, N_LOOKS)
        return np.stack([n, rng.binomial(n, 0.05)], axis=1)

    assert crossings(lambda: BernoulliProcess(0.05, "above"), trials) <= 34
    assert crossings(lambda: BernoulliProcess(0.05, "below"), trials) <= 34


@pytest.mark.parametrize("stable", [0.001, 0.02, 0.2])
def test_difference__canary_exactly_delta_worse__rarely_certified(stable: float) -> None:
    def rows(rng: np.random.Generator) -> np.ndarray:
        n = rng.poisson(60, N_LOOKS)
        n_c = rng.binomial(n, 0.25)
        rate = stable * np.where(np.arange(N_LOOKS) < N_LOOKS // 2, 1, 3)
        return np.stack([n_c, n - n_c, rng.binomial(n_c, rate + 0.02), rng.binomial(n - n_c, rate)], axis=1)

    assert crossings(lambda: DifferenceProcess(0.02), rows) <= 34
