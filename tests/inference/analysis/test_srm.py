from __future__ import annotations

from math import exp, inf, lgamma, log

import numpy as np
import pytest

from inference.analysis.srm import ALARM_LN, SrmProcess, srm_ln_e

HALVES = {"stable": 5000, "canary": 5000}


def test_srm__no_keys__is_one() -> None:
    assert srm_ln_e({}, HALVES) == pytest.approx(0, abs=1e-9)


def test_srm__one_key__is_one_whoever_gets_it() -> None:
    assert srm_ln_e({"canary": 1}, {"stable": 0.9, "canary": 0.1}) == pytest.approx(0, abs=1e-9)


def test_srm__two_keys_in_one_arm__the_predictive_chance_of_the_second() -> None:
    assert exp(srm_ln_e({"canary": 2}, HALVES)) == pytest.approx(5001 / 10001 / 0.5)


def test_srm__small_arm__the_wider_prior() -> None:
    found = exp(srm_ln_e({"canary": 2}, {"stable": 9900, "canary": 100}))
    assert found == pytest.approx(11 / 1001 / 0.01)


def test_srm__thousands_of_keys__the_gamma_formula() -> None:
    counts, share = {"stable": 4700, "canary": 5300}, 5000.0
    beta = lgamma(share + 4700) + lgamma(share + 5300) - lgamma(20000) - 2 * lgamma(share) + lgamma(10000)
    assert srm_ln_e(counts, HALVES) == pytest.approx(beta - 10000 * log(0.5))


def test_srm__half_a_point_off_for_long__alarm() -> None:
    assert srm_ln_e({"stable": 495_000, "canary": 505_000}, HALVES) > ALARM_LN
    assert srm_ln_e({"stable": 499_800, "canary": 500_200}, HALVES) < 0


def test_srm__keys_in_an_arm_without_weight__impossible() -> None:
    assert srm_ln_e({"stable": 5, "canary": 1}, {"stable": 1, "canary": 0}) == inf
    assert srm_ln_e({"stable": 5, "canary": 0}, {"stable": 1, "canary": 0}) == pytest.approx(0)


def test_srm__true_split__rarely_above_twenty() -> None:
    """Ville at level 20: of 300 runs with 100 looks 15 are allowed; 28 is the 99.9 % point of that."""
    rng = np.random.default_rng(5)
    crossed = 0
    for _ in range(300):
        keys = np.cumsum(rng.binomial(200, 0.25, 100))
        looks = zip(keys.tolist(), range(200, 20_001, 200), strict=True)
        looked = [srm_ln_e({"a": n - k, "b": k}, {"a": 3, "b": 1}) for k, n in looks]
        crossed += max(looked) >= log(20)
    assert crossed <= 28


def test_srm_process__same_weights_in_parts__counts_add_up() -> None:
    process = SrmProcess()
    process.add({"stable": 400, "canary": 600}, HALVES)
    process.add({"canary": 30, "stable": 20}, dict(reversed(HALVES.items())))
    assert process.ln_e == pytest.approx(srm_ln_e({"stable": 420, "canary": 630}, HALVES))


def test_srm_process__two_splits__evidence_multiplies() -> None:
    process = SrmProcess()
    process.add({"stable": 940, "canary": 60}, {"stable": 95, "canary": 5})
    process.add({"stable": 490, "canary": 510}, HALVES)
    apart = srm_ln_e({"stable": 940, "canary": 60}, {"stable": 95, "canary": 5})
    assert process.ln_e == pytest.approx(apart + srm_ln_e({"stable": 490, "canary": 510}, HALVES))


def test_srm_process__nothing__is_one() -> None:
    assert SrmProcess().ln_e == 0
