"""What a rollout's ledger proves: a pure function of its rows.

Four guardrails share one percent of false rollbacks per rollout, a quarter each (Bonferroni).
"""

from __future__ import annotations

from enum import StrEnum
from math import log
from typing import NamedTuple

from inference.analysis.eprocess import BernoulliProcess, Counts4, DifferenceProcess, LabelProcess, mean_ln_e

ALPHA = 0.01
N_GUARDRAILS = 4
ROLL_BACK_LN = log(N_GUARDRAILS / ALPHA)
HOLD_LN = log(10)
RESUME_LN = log(5)
PROOF_LN = log(20)
# Rows for the certificate alone.
REQUESTS = "errors.requests"
NOTHING = Counts4(0, 0, 0, 0)

# (name, stage)
Key = tuple[str, int]


class Guardrail(StrEnum):
    ERRORS = "errors"
    LATENCY = "latency"
    AGREEMENT = "agreement"
    OUTCOMES = "outcomes"


class Batch(NamedTuple):
    """One row of the ledger: exposures and bad events of both arms since the row before, at one weight.

    `guardrail` is a Guardrail's value, or has a part after a dot:

    - latency has a row per quantile, "latency.p50", each a test of its own;
    - "errors.keyed", for requests that follow a key: n are the arms' weights and k the keys that failed for the first
      time. It joins the test of "errors", but certifies nothing about requests;
    - "errors.requests" has those requests and the bad ones, for the certificate alone;
    - for agreement n_c counts the mirrored pairs, k_c those that disagree, and the stable arm's columns stay 0.
    """

    stage: int
    guardrail: str
    n_c: float
    n_s: float
    k_c: int
    k_s: int

    @property
    def counts(self) -> Counts4:
        return Counts4(*self[2:])


class Evidence:
    """The state of all guardrails. Counts are never pooled over stages: the mix of arms differs between them.

    A row with exposures of one arm only says nothing about their ratio, and at 50 requests a minute and 5 % nearly
    every canary request stands in such a row. So it waits until rows after it bring the other arm, and is judged
    together with them. That looks at exposures only, never at bad events, and cannot turn chance into evidence. Other
    rows may come in any order.
    """

    def __init__(self, theta0: float, d0: float = 0.02, d1: float = 0.05) -> None:
        """`theta0`: tolerated ratio of the rates. `d0`, `d1`: disagreement that is harmless, and that is too much."""
        self._theta0 = theta0
        self._labels: dict[str, LabelProcess] = {}
        self._disagreement = BernoulliProcess(d0, "above")
        self._agreement = BernoulliProcess(d1, "below")
        self._waiting: dict[Key, Counts4] = {}
        self._requests: dict[int, list[Counts4]] = {}
        self._proofs: dict[tuple[int, float], tuple[DifferenceProcess, int]] = {}
        self._totals: dict[Key, Counts4] = {}

    def add(self, batch: Batch) -> None:
        key = (batch.guardrail, batch.stage)
        self._totals[key] = self._totals.get(key, NOTHING).plus(batch.counts)
        if batch.guardrail == Guardrail.AGREEMENT:
            self._disagreement.add(batch.n_c, batch.k_c)
            self._agreement.add(batch.n_c, batch.k_c)
            return
        counts = self._waiting.pop(key, NOTHING).plus(batch.counts)
        if counts.n_c > 0 and counts.n_s > 0:
            self._judge(batch.guardrail, batch.stage, counts)
        else:
            self._waiting[key] = counts

    def _judge(self, name: str, stage: int, counts: Counts4) -> None:
        if name in (Guardrail.ERRORS, REQUESTS):
            self._requests.setdefault(stage, []).append(counts)
        if name != REQUESTS:
            self._label(name).add(*counts)

    def _label(self, name: str) -> LabelProcess:
        rail = name.partition(".")[0]
        return self._labels.setdefault(name if rail == Guardrail.LATENCY else rail, LabelProcess(self._theta0))

    @property
    def ln_e(self) -> dict[Guardrail, float]:
        """ln E over all stages, for the guardrails that have rows. Latency: the mean of its quantiles' e-values."""
        found = {rail: self._ln_e_of(rail) for rail in Guardrail}
        return {rail: value for rail, value in found.items() if value is not None}

    def _ln_e_of(self, rail: Guardrail) -> float | None:
        if rail == Guardrail.AGREEMENT:
            return self._disagreement.ln_e if self.totals(rail).n_c else None
        values = [process.ln_e for name, process in self._labels.items() if name.partition(".")[0] == rail]
        return mean_ln_e(values) if values else None

    def totals(self, guardrail: str, stage: int | None = None) -> Counts4:
        """Sums of the rows of one name, of one stage or of all; for display only. "latency" shows its p99."""
        name = "latency.p99" if guardrail == Guardrail.LATENCY else guardrail
        rows = [counts for (rail, at), counts in self._totals.items() if rail == name and stage in (None, at)]
        return sum_counts(rows)

    @property
    def agreement_ln_e(self) -> float:
        """The certificate of agreement: ln E against "at least d1 of the answers differ"."""
        return self._agreement.ln_e

    def non_inferiority_ln_e(self, stage: int, delta: float) -> float:
        """The certificate of one stage: ln E against "errors are at least `delta` more frequent in the canary"."""
        process, n_seen = self._proofs.get((stage, delta)) or (DifferenceProcess(delta), 0)
        rows = self._requests.get(stage, [])
        for counts in rows[n_seen:]:
            process.add(*counts)
        self._proofs[stage, delta] = (process, len(rows))
        return process.ln_e


def sum_counts(rows: list[Counts4]) -> Counts4:
    total = NOTHING
    for counts in rows:
        total = total.plus(counts)
    return total
