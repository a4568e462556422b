"""The main job end to end, with clients that were not written here."""

from __future__ import annotations

import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tritonclient import http as triton

from tests import graphs
from tests.flows.portal import Answer, Client, Portal

N_KEYS = 10_000
KEYS = [f"user-{number}" for number in range(N_KEYS)]


def test_upload__two_versions__ready_with_their_signature(alice: Client, name: str) -> None:
    first, second = alice.register(name, graphs.add_constant(10.0), graphs.add_constant(20.0))
    assert (first["number"], second["number"]) == (1, 2)
    assert first["sha256"] == hashlib.sha256(graphs.add_constant(10.0)).hexdigest()
    assert first["size"] == len(graphs.add_constant(10.0))
    assert first["signature"]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert first["signature"]["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}]
    downloaded = alice.get(f"/api/v1/models/{name}/versions/1/download")
    assert downloaded.body == graphs.add_constant(10.0)


def test_promote__tritonclient__predicts_by_the_promoted_and_the_pinned_version(
    portal: Portal, alice: Client, served: str
) -> None:
    headers = {"Authorization": f"Bearer {alice.token}"}
    client = triton.InferenceServerClient(portal.url.removeprefix("http://"))
    assert client.is_server_live(headers=headers)
    assert client.is_server_ready(headers=headers)
    assert client.is_model_ready(served, headers=headers)
    metadata = client.get_model_metadata(served, headers=headers)
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    sent = triton.InferInput("x", [2, 4], "FP32")
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    sent.set_data_from_numpy(rows, binary_data=False)
    wanted = [triton.InferRequestedOutput("y", binary_data=False)]
    live = client.infer(served, [sent], outputs=wanted, headers=headers)
    pinned = client.infer(served, [sent], model_version="2", outputs=wanted, headers=headers)
    np.testing.assert_array_equal(live.as_numpy("y"), rows + 10)
    np.testing.assert_array_equal(pinned.as_numpy("y"), rows + 20)
    assert live.get_response()["model_version"] == "1"
    client.close()


def test_promote__curl__predicts(portal: Portal, alice: Client, served: str) -> None:
    body = '{"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [[1, 2, 3, 4]]}]}'
    done = subprocess.run(
        ["curl", "-sS", "-i", f"{portal.url}/v2/models/{served}/infer", "-H", f"Authorization: Bearer {alice.token}",
         "-H", "X-Request-Id: from-curl-1", "-d", body, "-H", "Content-Type: application/json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    head, _, answer = done.stdout.replace("\r\n", "\n").partition("\n\n")
    assert head.startswith("HTTP/1.1 200")
    headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in head.splitlines()[1:]}
    assert headers["x-request-id"] == "from-curl-1"
    assert headers["x-model-version"] == "1"
    assert headers["x-variant"] == "stable"
    assert headers["x-split-epoch"] == "1"
    assert headers["x-route-reason"] == "only"
    assert json.loads(answer)["outputs"] == [
        {"name": "y", "datatype": "FP32", "shape": [1, 4], "data": [11, 12, 13, 14]}
    ]


def test_pinned_version__whatever_is_live__answers_by_that_version(alice: Client, served: str) -> None:
    answer = alice.infer(served, [[0, 0, 0, 0]], version=2)
    assert answer.body["outputs"][0]["data"] == [20, 20, 20, 20]
    assert answer.body["model_version"] == "2"
    assert answer.headers["X-Route-Reason"] == "pinned"
    assert alice.infer(served, [[0, 0, 0, 0]], version=3).status == 404


def _arms(client: Client, slug: str, keys: list[str]) -> dict[str, str]:
    """Which version answered each key."""

    def ask(key: str) -> tuple[str, str]:
        answer = client.infer(slug, [[0, 0, 0, 0]], key=key)
        assert answer.status == 200, answer
        assert answer.headers["X-Route-Reason"] == "key"
        number = answer.headers["X-Model-Version"]
        assert answer.body["outputs"][0]["data"][0] == 10 * int(number)
        return key, number

    with ThreadPoolExecutor(4) as pool:
        return dict(pool.map(ask, keys))


def _documented_arms(portal: Portal, slug: str, keys: list[str]) -> dict[str, str]:
    """The same from the documented formula and the table of the live split."""
    ((salt, table),) = portal.query(
        "SELECT e.salt, s.table FROM inference_endpoint e JOIN inference_trafficsplit s ON s.id = e.live_split_id"
        " WHERE e.slug = %s",
        slug,
    )
    versions = {"stable": "1", "canary": "2"}

    def arm(key: str) -> str:
        bucket = int.from_bytes(hashlib.sha256(f"{salt}:{key}".encode()).digest()[:8], "big") % 10_000
        (variant,) = [variant for lo, hi, variant in table if lo <= bucket < hi]
        return versions[variant]

    return {key: arm(key) for key in keys}


def test_split__ten_thousand_keys__documented_arms_and_growth_moves_only_stable_keys(
    portal: Portal, alice: Client, served: str
) -> None:
    assert alice.split(served, stable=(1, 9000), canary=(2, 1000)).status == 200
    small = _arms(alice, served, KEYS)
    # 10 000 draws at 10 %: the standard deviation is 30, and five of them are never seen.
    assert 850 <= sum(number == "2" for number in small.values()) <= 1150
    assert small == _documented_arms(portal, served, KEYS)
    some = KEYS[:200]
    assert _arms(alice, served, some) == {key: small[key] for key in some}

    assert alice.split(served, stable=(1, 7000), canary=(2, 3000)).status == 200
    grown = _documented_arms(portal, served, KEYS)
    assert {key for key in KEYS if small[key] == "2"} <= {key for key in KEYS if grown[key] == "2"}
    assert 2770 <= sum(number == "2" for number in grown.values()) <= 3230
    every_fifth = KEYS[::5]
    assert _arms(alice, served, every_fifth) == {key: grown[key] for key in every_fifth}


def test_split__no_key__drawn_at_random(alice: Client, served: str) -> None:
    alice.split(served, stable=(1, 5000), canary=(2, 5000))
    answers = [alice.infer(served, [[0, 0, 0, 0]]) for _ in range(200)]
    assert {answer.headers["X-Route-Reason"] for answer in answers} == {"random"}
    assert 50 <= sum(answer.headers["X-Variant"] == "canary" for answer in answers) <= 150


def test_history__promote_split_roll_back__told_by_splits_and_audit(
    portal: Portal, alice: Client, admin: Client, served: str
) -> None:
    alice.split(served, stable=(1, 9000), canary=(2, 1000))
    rolled = alice.post(f"/api/v1/endpoints/{served}/rollback", {"reason": "canary answers nonsense"})
    assert rolled.status == 200
    assert rolled.body["epoch"] == 3
    assert rolled.body["live_split"]["revision"] == 1
    assert rolled.body["converged"]["processes"] == rolled.body["converged"]["acknowledged"] == 2

    history = alice.get(f"/api/v1/endpoints/{served}/splits").body["results"]
    assert [(split["revision"], split["live"]) for split in history] == [(2, False), (1, True)]
    assert sorted(item["epoch"] for split in history for item in split["activations"]) == [1, 2, 3]
    events = _audit(admin, served)
    assert [event["action"] for event in events] == [
        "endpoint.rolled_back", "endpoint.split_changed", "endpoint.promoted", "endpoint.created",
    ]  # fmt: skip
    assert events[0]["reason"] == "canary answers nonsense"
    assert events[0]["actor_name"] == "alice"
    assert events[0]["request_id"] == rolled.headers["X-Request-Id"]
    assert "all in order" in portal.manage("verify_audit").stdout


def _audit(admin: Client, object_name: str) -> list[dict[str, object]]:
    answer: Answer = admin.get(f"/api/v1/audit?object_name={object_name}&object_type=Endpoint")
    assert answer.status == 200
    return list(answer.body["results"])


def test_roll_back__again_and_to_a_named_revision__follows_the_history(alice: Client, served: str) -> None:
    path = f"/api/v1/endpoints/{served}/rollback"
    alice.promote(served, 2)
    assert alice.post(path, {"reason": "back"}).body["live_split"]["shares"][0]["version"] == 1
    none_left = alice.post(path, {"reason": "further back"})
    assert none_left.status == 409
    assert none_left.error["code"] == "no_previous"
    assert "nothing to roll back to" in none_left.error["message"]
    named = alice.post(path, {"reason": "forward again", "revision": 2})
    assert (named.status, named.body["live_split"]["revision"]) == (200, 2)
    assert alice.infer(served, [[0, 0, 0, 0]]).body["outputs"][0]["data"][0] == 20
    live_already = alice.post(path, {"reason": "twice", "revision": 2})
    assert (live_already.status, live_already.error["code"]) == (409, "already_live")
    unknown = alice.post(path, {"reason": "nowhere", "revision": 9})
    assert (unknown.status, unknown.error["code"]) == (400, "unknown_revision")
