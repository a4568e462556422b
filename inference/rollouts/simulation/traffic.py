"""Made-up requests for a fake clock: how many, to which arm, how they ended and how long they took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np

from inference.analysis.eprocess import Counts4
from inference.monitoring.histogram import GAMMA

N_TICKS = 64
TYPICAL_SECONDS = 0.020


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests arrive at random. `errors` and `canary_errors` are shares; latencies are log-normal with `spread`, and
    the canary's are `slower` times as long. `disagreement` is the share of mirrored pairs that differ. Every hour
    `peak` times as many requests fail for ten minutes, in both arms.
    """

    per_minute: float
    errors: float = 0.001
    canary_errors: float = 0.001
    slower: float = 1.0
    spread: float = 0.5
    disagreement: float = 0.0
    peak: float = 1.0
    tick_seconds: float = 10.0


class Tick(NamedTuple):
    """What one tick counted. `stable` and `canary` are latency histograms; `pairs` and `differing` of the mirror."""

    counts: Counts4
    stable: dict[int, int]
    canary: dict[int, int]
    pairs: int = 0
    differing: int = 0


def ticks(traffic: Traffic, weight_bp: int, begin: float, rng: np.random.Generator) -> Iterator[Tick]:
    """Without end, from `begin` seconds on; generated in blocks. At weight 0 every request is mirrored."""
    while True:
        yield from _block(traffic, weight_bp, begin, rng)
        begin += N_TICKS * traffic.tick_seconds


def _block(traffic: Traffic, weight_bp: int, begin: float, rng: np.random.Generator) -> Iterator[Tick]:
    n = rng.poisson(traffic.per_minute * traffic.tick_seconds / 60, N_TICKS)
    n_c = rng.binomial(n, weight_bp / 10_000)
    n_s = n - n_c
    peak = _peaks(traffic, begin)
    k_c = rng.binomial(n_c, np.minimum(traffic.canary_errors * peak, 1))
    k_s = rng.binomial(n_s, np.minimum(traffic.errors * peak, 1))
    stable = _latencies(traffic, 1.0, n_s - k_s, rng)
    canary = _latencies(traffic, traffic.slower, n_c - k_c, rng)
    pairs = n if weight_bp == 0 else np.zeros_like(n)
    differing = rng.binomial(pairs, traffic.disagreement)
    columns = zip(*(column.tolist() for column in (n_c, n_s, k_c, k_s, pairs, differing)), strict=True)
    for (c, s, bad_c, bad_s, n_pairs, n_differing), slow, fast in zip(columns, stable, canary, strict=True):
        yield Tick(Counts4(c, s, bad_c, bad_s), slow, fast, n_pairs, n_differing)


def _peaks(traffic: Traffic, begin: float) -> np.ndarray:
    at = begin + np.arange(N_TICKS) * traffic.tick_seconds
    return np.where(at % 3_600 < 600, traffic.peak, 1.0)


def _latencies(traffic: Traffic, factor: float, n: np.ndarray, rng: np.random.Generator) -> list[dict[int, int]]:
    """A histogram per tick, of `n` good answers each."""
    logs = rng.normal(log(TYPICAL_SECONDS * factor), traffic.spread, int(n.sum()))
    buckets = np.ceil(logs / log(GAMMA)).astype(int)
    return [dict(Counter(part.tolist())) for part in np.split(buckets, np.cumsum(n)[:-1])]
