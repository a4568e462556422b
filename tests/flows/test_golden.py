"""Golden requests and the signature's contract from outside: a real worker runs them, and a promotion waits for it."""

from __future__ import annotations

import time
from typing import Any

from tests import graphs
from tests.flows.portal import Client, Portal

BODY = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}


def _golden(alice: Client, name: str) -> dict[str, Any]:
    answer = alice.post(f"/api/v1/models/{name}/golden", {"name": "ones", "request": BODY, "record_from": 1})
    assert answer.status == 201, answer
    return dict(answer.body)


def _runs(portal: Portal, alice: Client, name: str, number: int, n_runs: int) -> list[dict[str, Any]]:
    """Newest first, once there are so many."""
    path = f"/api/v1/models/{name}/versions/{number}/golden-runs"
    portal.wait_until(lambda: len(alice.get(path).body["results"]) >= n_runs, 30, "golden run")
    return list(alice.get(path).body["results"])


def _promote(alice: Client, name: str, version: int, **more: Any) -> Any:
    return alice.post(f"/api/v1/endpoints/{name}/promote", {"version": version, "reason": "they know", **more})


def test_golden__recorded_once__every_new_version_is_asked_and_a_wrong_one_not_promoted(
    portal: Portal, alice: Client, admin: Client, served: str
) -> None:
    made = _golden(alice, served)
    assert made["expected"] == [{"name": "y", "datatype": "FP32", "shape": [1, 4], "data": [11.0, 12.0, 13.0, 14.0]}]

    # A new version is asked as soon as it is validated.
    uploaded = alice.upload(served, graphs.add_constant(10.000001)).body["number"]
    assert alice.version(served, uploaded)["status"] == "ready"
    (run,) = _runs(portal, alice, served, uploaded, 1)
    assert (run["occasion"], run["n_requests"], run["n_failed"]) == ("validation", 1, 0)
    assert _promote(alice, served, uploaded).status == 200

    # Another answer is refused with the numbers, and nothing moves.
    began = time.monotonic()
    refused = _promote(alice, served, 2)
    assert time.monotonic() - began < 30
    assert (refused.status, refused.error["code"]) == (409, "golden_mismatch")
    (failed,) = refused.error["details"]["failed"]
    assert (failed["output"], failed["index"], failed["got"], failed["expected"]) == ("y", [0, 0], 21.0, 11.0)
    assert alice.infer(served, [[1, 2, 3, 4]]).body["outputs"][0]["data"][0] < 12

    # A rollout of it fails before it gets anything.
    rollout = alice.post(f"/api/v1/endpoints/{served}/rollouts", {"candidate": 2, "reason": "try"})
    assert rollout.status == 201, rollout
    address = f"/api/v1/rollouts/{rollout.body['id']}"
    portal.wait_until(lambda: alice.get(address).body["state"] == "failed_validation", 60, "end of the rollout")
    assert "“ones”: Output “y” at [0, 0] is 21.0, expected was 11.0." in alice.get(address).body["why"]

    # Who forces it is in the record with what was overridden.
    assert _promote(alice, served, 2, force=True).status == 200
    events = admin.get("/api/v1/audit?action=endpoint.promoted").body["results"]
    assert next(e["details"]["forced"] for e in events if e["object_name"] == served) == ["golden_mismatch"]
    assert alice.infer(served, [[1, 2, 3, 4]]).body["outputs"][0]["data"] == [21.0, 22.0, 23.0, 24.0]


def test_golden__asked_by_hand__a_worker_answers(portal: Portal, alice: Client, served: str) -> None:
    path = f"/api/v1/models/{served}/versions/1/golden-runs"
    assert alice.post(path).body == {"n_requests": 0}
    _golden(alice, served)
    asked = alice.post(path)
    assert (asked.status, asked.body) == (202, {"n_requests": 1})
    (run,) = _runs(portal, alice, served, 1, 1)
    assert (run["occasion"], run["n_failed"]) == ("asked", 0)


def test_promote__breaking_signature__409_names_the_keys_and_force_moves_it(alice: Client, served: str) -> None:
    number = alice.upload(served, graphs.two_inputs()).body["number"]
    assert alice.version(served, number)["status"] == "ready"
    refused = _promote(alice, served, number)
    assert (refused.status, refused.error["code"]) == (409, "signature_breaking")
    assert refused.error["details"]["kind"] == "breaking"
    assert all(change["sentence"] for change in refused.error["details"]["changes"])
    assert _promote(alice, served, number, force=True).status == 200
