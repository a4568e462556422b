from __future__ import annotations

from math import exp, log
from random import Random

import pytest

from inference.analysis.eprocess import BernoulliProcess, Counts4, DifferenceProcess, LabelProcess, mean_ln_e
from inference.analysis.guardrails import PROOF_LN, ROLL_BACK_LN, Batch, Evidence, Guardrail

LEDGER = [
    Batch(0, "agreement", 400, 0, 11, 0),
    Batch(1, "errors", 5, 495, 1, 3),
    Batch(1, "latency.p50", 5, 495, 3, 240),
    Batch(1, "latency.p99", 5, 495, 1, 4),
    Batch(2, "errors", 50, 450, 2, 2),
    Batch(2, "latency.p50", 50, 450, 20, 230),
    Batch(2, "latency.p99", 50, 450, 2, 5),
    Batch(2, "outcomes", 30, 270, 6, 40),
    Batch(2, "agreement", 100, 0, 2, 0),
]


def evidence(rows: list[Batch], theta0: float = 1.0) -> Evidence:
    found = Evidence(theta0)
    for row in rows:
        found.add(row)
    return found


def test_thresholds__four_guardrails_one_percent__four_hundred() -> None:
    assert exp(ROLL_BACK_LN) == pytest.approx(400)
    assert exp(PROOF_LN) == pytest.approx(20)


def test_evidence__no_rows__no_guardrail() -> None:
    assert evidence([]).ln_e == {}


def test_evidence__rows_of_two_stages__multiply_and_are_never_pooled() -> None:
    process = LabelProcess()
    process.add(5, 495, 1, 3)
    process.add(50, 450, 2, 2)
    pooled = LabelProcess()
    pooled.add(55, 945, 3, 5)
    assert evidence(LEDGER).ln_e[Guardrail.ERRORS] == pytest.approx(process.ln_e)
    assert abs(process.ln_e - pooled.ln_e) > 0.1


def test_evidence__more_errors_at_low_weight_by_chance_of_the_peak__no_alarm() -> None:
    """Simpson: pooled, the canary fails four times as often, though both arms fail alike in each stage."""
    rows = [Batch(1, "errors", 100, 9900, 0, 10), Batch(2, "errors", 5000, 5000, 100, 100)]
    assert evidence(rows).ln_e[Guardrail.ERRORS] < 0
    pooled = LabelProcess()
    pooled.add(5100, 14900, 100, 110)
    assert pooled.ln_e > ROLL_BACK_LN


def test_evidence__latency__mean_of_the_quantiles() -> None:
    p50, p99 = LabelProcess(), LabelProcess()
    p50.add(5, 495, 3, 240)
    p50.add(50, 450, 20, 230)
    p99.add(5, 495, 1, 4)
    p99.add(50, 450, 2, 5)
    assert evidence(LEDGER).ln_e[Guardrail.LATENCY] == pytest.approx(mean_ln_e([p50.ln_e, p99.ln_e]))


def test_evidence__tolerant__less_evidence_of_harm() -> None:
    assert evidence(LEDGER, 1.25).ln_e[Guardrail.ERRORS] < evidence(LEDGER).ln_e[Guardrail.ERRORS]


def test_evidence__agreement__two_tests_of_one_rate() -> None:
    harm, proof = BernoulliProcess(0.02), BernoulliProcess(0.05, "below")
    harm.add(500, 13)
    proof.add(500, 13)
    found = evidence(LEDGER)
    assert found.ln_e[Guardrail.AGREEMENT] == pytest.approx(harm.ln_e)
    assert found.agreement_ln_e == pytest.approx(proof.ln_e)


def test_evidence__rows_shuffled__same_evidence() -> None:
    rows = LEDGER.copy()
    Random(3).shuffle(rows)
    ordered, shuffled = evidence(LEDGER), evidence(rows)
    assert shuffled.ln_e == pytest.approx(ordered.ln_e)
    assert shuffled.agreement_ln_e == pytest.approx(ordered.agreement_ln_e)
    assert shuffled.non_inferiority_ln_e(2, 0.01) == pytest.approx(ordered.non_inferiority_ln_e(2, 0.01))


def test_evidence__empty_batches__change_nothing() -> None:
    names = ("errors", "latency.p50", "latency.p99", "outcomes", "agreement")
    pauses = [Batch(2, name, 0, 0, 0, 0) for name in names]
    assert evidence([*LEDGER, *pauses]).ln_e == evidence(LEDGER).ln_e


def test_evidence__rows_of_one_arm__wait_for_the_other() -> None:
    rows = [Batch(1, "errors", 1, 0, 1, 0), Batch(1, "errors", 0, 12, 0, 0), Batch(1, "errors", 1, 0, 1, 0)]
    process, proof = LabelProcess(), DifferenceProcess(0.02)
    process.add(1, 12, 1, 0)
    proof.add(1, 12, 1, 0)
    found = evidence(rows)
    assert found.ln_e[Guardrail.ERRORS] == pytest.approx(process.ln_e)
    assert found.non_inferiority_ln_e(1, 0.02) == pytest.approx(proof.ln_e)
    assert found.totals("errors") == Counts4(2, 12, 2, 0)


def test_evidence__one_arm_in_each_of_two_stages__still_waits() -> None:
    assert evidence([Batch(1, "errors", 1, 0, 1, 0), Batch(2, "errors", 0, 12, 0, 0)]).ln_e == {}


def test_evidence__one_by_one_or_four_at_once__a_failing_canary_shows_alike() -> None:
    apart = [row for _ in range(4) for row in (Batch(1, "errors", 0, 19, 0, 0), Batch(1, "errors", 1, 0, 1, 0))]
    found = evidence(apart).ln_e[Guardrail.ERRORS]
    assert found == pytest.approx(evidence([Batch(1, "errors", 4, 76, 4, 0)]).ln_e[Guardrail.ERRORS])
    assert found > ROLL_BACK_LN


def test_evidence__errors_counted_by_key__join_the_same_test() -> None:
    process = LabelProcess()
    process.add(5, 95, 2, 1)
    process.add(500, 9500, 1, 3)
    found = evidence([Batch(1, "errors", 5, 95, 2, 1), Batch(1, "errors.keyed", 500, 9500, 1, 3)])
    assert found.ln_e[Guardrail.ERRORS] == pytest.approx(process.ln_e)


def test_evidence__requests_with_a_key__only_certify() -> None:
    rows = [Batch(1, "errors.keyed", 500, 9500, 1, 0), Batch(1, "errors.requests", 200, 3800, 1, 0)]
    process, proof = LabelProcess(), DifferenceProcess(0.02)
    process.add(500, 9500, 1, 0)
    proof.add(200, 3800, 1, 0)
    assert evidence(rows).ln_e == {Guardrail.ERRORS: pytest.approx(process.ln_e)}
    assert evidence(rows).non_inferiority_ln_e(1, 0.02) == pytest.approx(proof.ln_e)


def test_non_inferiority__asked_after_every_row__same_as_asked_once() -> None:
    often = Evidence(1.0)
    for row in LEDGER:
        often.add(row)
        often.non_inferiority_ln_e(2, 0.01)
    assert often.non_inferiority_ln_e(2, 0.01) == pytest.approx(evidence(LEDGER).non_inferiority_ln_e(2, 0.01))


def test_non_inferiority__a_stage__only_its_own_batches() -> None:
    process = DifferenceProcess(0.01)
    process.add(50, 450, 2, 2)
    assert evidence(LEDGER).non_inferiority_ln_e(2, 0.01) == pytest.approx(process.ln_e)
    assert evidence(LEDGER).non_inferiority_ln_e(3, 0.01) == pytest.approx(0, abs=1e-12)


def test_non_inferiority__two_hundred_good_requests__reach_twenty() -> None:
    rows = [Batch(1, "errors", 2, 198, 0, 0)] * 100
    assert evidence(rows[:75]).non_inferiority_ln_e(1, 0.02) < log(20)
    assert evidence(rows).non_inferiority_ln_e(1, 0.02) > log(20)


def test_totals__for_display__sums_of_one_stage_or_all() -> None:
    found = evidence(LEDGER)
    assert found.totals("errors") == Counts4(55, 945, 3, 5)
    assert found.totals(Guardrail.ERRORS, 2) == Counts4(50, 450, 2, 2)
    assert found.totals("latency.p50", 1) == Counts4(5, 495, 3, 240)
    assert found.totals(Guardrail.LATENCY) == found.totals("latency.p99") == Counts4(55, 945, 3, 9)
    assert found.totals("outcomes", 1) == Counts4(0, 0, 0, 0)
