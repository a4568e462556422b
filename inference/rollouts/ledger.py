"""What the ledger proves, for the controller, for pages and for who replays a decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from inference.analysis.guardrails import Batch, Evidence
from inference.analysis.srm import SrmProcess
from inference.models import EvidenceBatch, Rollout, RolloutStage
from inference.rollouts.plan import THETAS

# A share of disagreement that is too much; the option `tolerated_disagreement` is one that is harmless.
TOO_MUCH_DISAGREEMENT = 0.05
COLUMNS = ("stage", "guardrail", "n_c", "n_s", "k_c", "k_s")


class Proven(NamedTuple):
    """All natural logarithms. The last four are of one stage."""

    ln_e: dict[str, float]
    agreement_ln: float | None
    srm_ln: float
    proof_ln: float
    n_canary: int
    n_stable: int
    n_pairs: int


class Prover:
    """One rollout's evidence, kept up to date by the lines that have come since. Made anew it comes to the same."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout
        self._evidence = _new_evidence(rollout)
        self._srm = SrmProcess()
        self._weights = dict(rollout.stages.values_list("index", "weight_bp"))
        self.seq = 0
        for earlier in _chain(rollout):
            for row in EvidenceBatch.objects.filter(rollout=earlier).values_list(*COLUMNS):
                # Another rollout's stages are not this one's.
                self._evidence.add(Batch(*row)._replace(stage=row[0] - 1_000 * (1 + earlier.pk)))

    def follow(self, upto: int) -> None:
        """Adds the batches after the last one, up to this one."""
        rows = EvidenceBatch.objects.filter(rollout=self._rollout, seq__gt=self.seq, seq__lte=upto)
        for row in rows.order_by("seq", "pk").values_list(*COLUMNS):
            self._add(Batch(*row))
        self.seq = max(self.seq, upto)

    def _add(self, batch: Batch) -> None:
        self._evidence.add(batch)
        share = self._weights.get(batch.stage, 0) / 10_000
        if batch.guardrail == "errors" and 0 < share < 1:
            counts = {"canary": int(batch.n_c), "stable": int(batch.n_s)}
            self._srm.add(counts, {"canary": share, "stable": 1 - share})

    def proven(self, stage: RolloutStage | None) -> Proven:
        return _proven(self._evidence, self._srm, stage)


def _new_evidence(rollout: Rollout) -> Evidence:
    options = rollout.options
    d0 = options["tolerated_disagreement"]
    return Evidence(THETAS[options["tolerance"]], d0, max(TOO_MUCH_DISAGREEMENT, 2.5 * d0))


def _chain(rollout: Rollout) -> Iterable[Rollout]:
    seen = {rollout.pk}
    earlier = rollout.inherits
    while earlier is not None and earlier.pk not in seen:
        seen.add(earlier.pk)
        yield earlier
        earlier = earlier.inherits


def _proven(evidence: Evidence, srm: SrmProcess, stage: RolloutStage | None) -> Proven:
    index = stage.index if stage else -1
    pairs = int(evidence.totals("agreement", index).n_c)
    drawn, keyed = evidence.totals("errors", index), evidence.totals("errors.requests", index)
    return Proven(
        {str(name): round(value, 9) for name, value in evidence.ln_e.items()},
        round(evidence.agreement_ln_e, 9) if evidence.totals("agreement").n_c else None,
        round(srm.ln_e, 9),
        round(evidence.non_inferiority_ln_e(index, stage.delta), 9) if stage and stage.delta else 0.0,
        int(drawn.n_c + keyed.n_c),
        int(drawn.n_s + keyed.n_s),
        pairs,
    )


def rates_of(rollout: Rollout) -> dict[str, Any]:
    """Requests and bad ones by arm, over all stages, for display."""
    totals = {"canary": {"n": 0, "bad": 0}, "stable": {"n": 0, "bad": 0}}
    rows = EvidenceBatch.objects.filter(rollout=rollout, guardrail__in=("errors", "errors.requests"))
    for n_c, n_s, k_c, k_s in rows.values_list("n_c", "n_s", "k_c", "k_s"):
        totals["canary"]["n"] += int(n_c)
        totals["canary"]["bad"] += k_c
        totals["stable"]["n"] += int(n_s)
        totals["stable"]["bad"] += k_s
    return totals
