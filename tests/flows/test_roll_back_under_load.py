"""When promote or roll back has answered, no request that begins later is answered by the old version."""

from __future__ import annotations

import time

from tests.flows.portal import Client, Load

N_SWITCHES = 12


def test_roll_back__under_load__nothing_old_after_the_answer_and_nothing_fails(alice: Client, served: str) -> None:
    path = f"/api/v1/endpoints/{served}/rollback"
    switched: list[tuple[float, str]] = []
    with Load(alice, served, n_threads=6) as load:
        for _ in range(N_SWITCHES // 2):
            alice.promote(served, 2)
            switched.append((time.monotonic(), "2"))
            time.sleep(0.15)
            rolled = alice.post(path, {"reason": "under load"})
            switched.append((time.monotonic(), "1"))
            assert rolled.status == 200, rolled
            assert rolled.body["converged"]["acknowledged"] == rolled.body["converged"]["processes"] == 2
            time.sleep(0.15)
    assert load.failed() == []
    assert {number for _, _, number in load.seen} == {"1", "2"}
    assert len(load.seen) > 200
    # Up to the next switch's *beginning*, which is later than 0.1 s after this one's answer.
    for answered_at, number in switched:
        later = [seen for began, _, seen in load.seen if answered_at < began < answered_at + 0.1]
        assert set(later) <= {number}
    last_answer = switched[-1][0]
    assert {number for _, _, number in load.began_after(last_answer)} == {"1"}
