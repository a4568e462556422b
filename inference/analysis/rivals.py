"""Rules that others use to judge a canary, for comparison only: each looks once a minute and has no bound on error.

Flagger as its tutorials set it up: at least 99 % good answers a minute, roll back at the fifth failed check
(docs.flagger.app, "threshold: 5"). Argo Rollouts as its documentation shows it: at least 95 % every five minutes, and
more than three failures end the rollout (argo-rollouts.readthedocs.io, "failureLimit: 3"). And a one-sided z test of
two proportions on all requests so far, at one percent, repeated every minute.
"""

from __future__ import annotations

from math import sqrt
from typing import Protocol

from inference.analysis.eprocess import Counts4
from inference.analysis.guardrails import NOTHING

Z_ONE_PERCENT = 2.326


class Rival(Protocol):
    name: str

    def looks(self, minute: Counts4) -> bool:
        """Takes what was counted in one more minute; True if it rolls back now."""
        ...


class Threshold:
    """A least share of good answers per interval; so many intervals that miss it roll back. None of them is excused."""

    def __init__(self, name: str, least_good: float, n_failures: int, minutes: int = 1) -> None:
        self.name = name
        self._least_good, self._n_failures, self._minutes = least_good, n_failures, minutes
        self._window, self._n_minutes, self._n_failed = NOTHING, 0, 0

    def looks(self, minute: Counts4) -> bool:
        self._window = self._window.plus(minute)
        self._n_minutes += 1
        if self._n_minutes % self._minutes == 0:
            self._n_failed += self._fails()
            self._window = NOTHING
        return self._n_failed >= self._n_failures

    def _fails(self) -> bool:
        """An interval without requests passes, which flatters the rule."""
        n, bad = self._window.n_c, self._window.k_c
        return n > 0 and 1 - bad / n < self._least_good


class ZTest:
    name = "z test"

    def __init__(self) -> None:
        self._total = NOTHING

    def looks(self, minute: Counts4) -> bool:
        self._total = self._total.plus(minute)
        n_c, n_s, k_c, k_s = self._total
        if not (n_c and n_s and k_c + k_s):
            return False
        pooled = (k_c + k_s) / (n_c + n_s)
        error = sqrt(pooled * (1 - pooled) * (1 / n_c + 1 / n_s))
        return error > 0 and (k_c / n_c - k_s / n_s) / error > Z_ONE_PERCENT


def rivals() -> list[Rival]:
    """Fresh ones, for one rollout."""
    return [
        Threshold("Flagger", 0.99, n_failures=5),
        Threshold("Argo", 0.95, n_failures=4, minutes=5),
        ZTest(),
    ]
