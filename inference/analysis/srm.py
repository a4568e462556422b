"""Sample ratio mismatch: do the arms get the share of the keys that their weights promise?

A Dirichlet-multinomial Bayes factor, which may be looked at after every key (Lindon and Malek 2022, arXiv 2011.03567).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, lgamma, log

CONCENTRATION = 10_000
# Below five percent the prior must be wider, or a mismatch of a small arm stays hidden behind it.
SMALL_WEIGHT, SMALL_CONCENTRATION = 0.05, 1_000
ALARM_LN = log(1_000)

Weights = tuple[tuple[str, float], ...]


def srm_ln_e(counts: Mapping[str, int], weights: Mapping[str, float]) -> float:
    """ln E against "the arms get what `weights` say". Weights in any unit.

    Infinite where an arm without weight has keys, for that cannot happen by chance.
    """
    total = sum(weights.values())
    shares = {arm: weight / total for arm, weight in weights.items() if weight > 0}
    if any(count and arm not in shares for arm, count in counts.items()):
        return inf
    concentration = SMALL_CONCENTRATION if min(shares.values()) < SMALL_WEIGHT else CONCENTRATION
    n_keys = sum(counts.values())
    ln_e = lgamma(concentration) - lgamma(concentration + n_keys)
    for arm, share in shares.items():
        count = counts.get(arm, 0)
        ln_e += lgamma(concentration * share + count) - lgamma(concentration * share) - count * log(share)
    return ln_e


class SrmProcess:
    """The same over several splits: counts at equal weights add up, and the evidence of different splits multiplies."""

    def __init__(self) -> None:
        self._counts: dict[Weights, dict[str, int]] = {}

    def add(self, counts: Mapping[str, int], weights: Mapping[str, float]) -> None:
        """Keys per arm that were new since the call before, at these weights."""
        sums = self._counts.setdefault(tuple(sorted(weights.items())), {})
        for arm, count in counts.items():
            sums[arm] = sums.get(arm, 0) + count

    @property
    def ln_e(self) -> float:
        return sum(srm_ln_e(counts, dict(weights)) for weights, counts in self._counts.items())
