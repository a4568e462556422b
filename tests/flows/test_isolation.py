"""Models that kill or hang whatever runs them: their callers are told, and nobody else notices."""

from __future__ import annotations

import time
from typing import Any

import psutil

from tests import graphs
from tests.flows.portal import Client, Load, Portal

LOWEST = -(2**63)


def division(client: Client, slug: str, x: int, y: int, **parameters: Any) -> Any:
    tensors = [{"name": n, "shape": [1], "datatype": "INT64", "data": [v]} for n, v in (("x", x), ("y", y))]
    return client.post(
        f"/v2/models/{slug}/infer", {"inputs": tensors, **({"parameters": parameters} if parameters else {})}
    )


def loop(client: Client, slug: str, trips: int, timeout_us: int) -> Any:
    tensor = {"name": "trips", "shape": [], "datatype": "INT64", "data": [trips]}
    body = {"inputs": [tensor], "parameters": {"timeout": timeout_us}}
    return client.post(f"/v2/models/{slug}/infer", body)


def web_pids(portal: Portal) -> set[int]:
    return {member.pid for member in portal.children("gunicorn")}


def test_crash__one_body__422_and_the_next_request_is_answered(portal: Portal, alice: Client, name: str) -> None:
    alice.serve(name, graphs.division_by_input())
    before = web_pids(portal)
    assert division(alice, name, 7, 2).body["outputs"][0]["data"] == [3]
    crashed = division(alice, name, LOWEST, -1)
    assert (crashed.status, crashed.v2_error["code"]) == (422, "model_crashed")
    assert "SIGFPE" in crashed.v2_error["error"]
    assert division(alice, name, 9, 3).body["outputs"][0]["data"] == [3]
    assert web_pids(portal) == before


def test_crash__twice__quarantined_and_the_endpoint_falls_back(
    portal: Portal, alice: Client, admin: Client, name: str
) -> None:
    alice.serve(name, graphs.division_by_input(), graphs.division_by_input("second"))
    alice.promote(name, 2)
    for _ in range(2):
        assert division(alice, name, LOWEST, -1).status == 422
        portal.wait_until(lambda: division(alice, name, 8, 2).status == 200, 20, "good answer")

    def fell_back() -> bool:
        answer = division(alice, name, 8, 2)
        return bool(answer.status == 200 and answer.headers["X-Model-Version"] == "1")

    portal.wait_until(fell_back, 20, "fall back to version 1")
    pinned = alice.post(f"/v2/models/{name}/versions/2/infer", {"inputs": []})
    assert (pinned.status, pinned.v2_error["code"]) == (503, "version_quarantined")
    assert pinned.headers["Retry-After"]
    refused = alice.post(f"/api/v1/endpoints/{name}/promote", {"version": 2, "reason": "again"})
    assert (refused.status, refused.error["code"]) == (409, "version_quarantined")
    (row,) = [row for row in alice.get("/api/v1/quarantines").body["results"] if row["model"] == name]
    assert [death["signal"] for death in row["deaths"]] == ["SIGFPE", "SIGFPE"]
    released = alice.post(
        f"/api/v1/models/{name}/versions/2/release", {"reason": "callers send no such values any more"}
    )
    assert released.status == 200, released
    alice.promote(name, 2)
    assert division(alice, name, 8, 2).headers["X-Model-Version"] == "2"
    events = [event for event in admin.get("/api/v1/audit").body["results"] if name in event["object_name"]]
    assert {"endpoint.fell_back", "version.quarantined", "version.released"} <= {event["action"] for event in events}


def test_hang__many_callers__504_by_their_deadline_and_others_go_on(
    portal: Portal, alice: Client, name: str, served: str
) -> None:
    hanging = f"{name}-loop"
    alice.serve(hanging, graphs.counting_loop())
    before = web_pids(portal)
    with Load(alice, served, n_threads=2) as load:
        began = time.monotonic()
        codes = set()
        for _ in range(3):
            answer = loop(alice, hanging, 2**62, 300_000)
            codes.add((answer.status, answer.v2_error["code"]))
        assert time.monotonic() - began < 20
    assert codes <= {(504, "deadline_exceeded"), (504, "deadline_in_queue"), (503, "model_restarting")}
    assert (504, "deadline_exceeded") in codes
    assert load.failed() == []
    portal.wait_until(lambda: loop(alice, hanging, 3, 5_000_000).status == 200, 20, "good answer")
    assert web_pids(portal) == before


def test_isolated__its_process__runs_apart_and_ends_with_the_portal(portal: Portal, alice: Client, name: str) -> None:
    alice.serve(name, graphs.division_by_input())
    assert division(alice, name, 6, 3).status == 200
    apart = portal.children("inference.runtime.isolated")
    assert apart
    assert all(psutil.Process(member.ppid()).pid in web_pids(portal) for member in apart)
