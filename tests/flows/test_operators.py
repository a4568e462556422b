"""Two operators at once: one wins, the other is told the state now, and history stays a line."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import graphs
from tests.flows.portal import Answer, Client, Portal

N_ROUNDS = 20


@pytest.fixture(scope="module")
def target(alice: Client) -> str:
    return alice.serve("two-operators", graphs.add_constant(10.0), graphs.add_constant(20.0))


def _race(alice: Client, target: str, weights: tuple[int, ...], headers: dict[str, str]) -> list[Answer]:
    def change(weight: int) -> Answer:
        shares = [
            {"variant": "stable", "version": 1, "weight_bp": 10_000 - weight},
            {"variant": "canary", "version": 2, "weight_bp": weight},
        ]
        body = {"shares": shares, "reason": f"to {weight}"}
        return alice.call("PUT", f"/api/v1/endpoints/{target}/split", body, headers)

    with ThreadPoolExecutor(len(weights)) as pool:
        return list(pool.map(change, weights))


def _epoch(alice: Client, target: str) -> int:
    return int(alice.get(f"/api/v1/endpoints/{target}").body["epoch"])


def _check_loser(answer: Answer, epoch: int) -> None:
    assert answer.status == 409
    assert answer.error["code"] == "epoch_moved"
    assert answer.error["details"]["epoch"] == epoch
    assert sum(share["weight_bp"] for share in answer.error["details"]["live_split"]["shares"]) == 10_000


def test_race__same_if_match__exactly_one_wins(portal: Portal, alice: Client, target: str) -> None:
    weights = itertools.count(100)
    for _ in range(N_ROUNDS):
        epoch = _epoch(alice, target)
        answers = _race(alice, target, (next(weights), next(weights), next(weights)), {"If-Match": f'"{epoch}"'})
        winners = [answer for answer in answers if answer.status == 200]
        assert len(winners) == 1, answers
        assert winners[0].body["epoch"] == epoch + 1
        assert winners[0].headers["ETag"] == f'"{epoch + 1}"'
        for answer in answers:
            if answer.status != 200:
                _check_loser(answer, epoch + 1)
        assert _epoch(alice, target) == epoch + 1
    _check_line(portal, target)


def test_race__without_if_match__each_answer_is_true_and_history_is_a_line(
    portal: Portal, alice: Client, target: str
) -> None:
    weights = itertools.count(5000)
    for _ in range(N_ROUNDS):
        epoch = _epoch(alice, target)
        answers = _race(alice, target, (next(weights), next(weights)), {})
        winners = sorted(answer.body["epoch"] for answer in answers if answer.status == 200)
        # Both may win, one after the other; two that began at the same state may not.
        assert winners == list(range(epoch + 1, epoch + 1 + len(winners)))
        assert winners
        for answer in answers:
            if answer.status != 200:
                _check_loser(answer, epoch + 1)
        assert _epoch(alice, target) == winners[-1]
    _check_line(portal, target)


def _check_line(portal: Portal, target: str) -> None:
    """Epochs without gaps, each revision's parent the one that was live before it, and one audit event per epoch."""
    rows = portal.query(
        "SELECT a.epoch, s.id, s.parent_id FROM inference_splitactivation a"
        " JOIN inference_trafficsplit s ON s.id = a.split_id JOIN inference_endpoint e ON e.id = a.endpoint_id"
        " WHERE e.slug = %s ORDER BY a.epoch",
        target,
    )
    assert [epoch for epoch, _, _ in rows] == list(range(1, len(rows) + 1))
    assert [parent for _, _, parent in rows] == [None, *(split for _, split, _ in rows[:-1])]
    ((n_events,),) = portal.query(
        "SELECT count(*) FROM registry_auditevent WHERE object_name = %s"
        " AND action IN ('endpoint.promoted', 'endpoint.split_changed')",
        target,
    )
    assert n_events == len(rows)


def test_if_match__stale_or_odd__409_or_400_and_nothing_moves(alice: Client, target: str) -> None:
    epoch = _epoch(alice, target)
    path = f"/api/v1/endpoints/{target}/promote"
    stale = alice.call("POST", path, {"version": 1, "reason": "late"}, {"If-Match": f'"{epoch - 1}"'})
    _check_loser(stale, epoch)
    odd = alice.call("POST", path, {"version": 1, "reason": "odd"}, {"If-Match": '"abc"'})
    assert (odd.status, odd.error["code"]) == (400, "invalid_if_match")
    assert _epoch(alice, target) == epoch


def test_promote__already_live__200_unchanged(portal: Portal, alice: Client, target: str) -> None:
    first = alice.promote(target, 2)
    again = alice.promote(target, 2)
    assert again.body["changed"] is False
    assert again.body["epoch"] == first.body["epoch"]
