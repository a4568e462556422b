"""Callers without a client library: curl, plain JSON with a version or an alias, TensorFlow Serving's shapes."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import graphs
from tests.flows.portal import Client, Portal

ROW = [1.0, 2.0, 3.0, 4.0]
BODY = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROW}]}


@pytest.fixture(scope="module")
def slug(alice: Client) -> str:
    made = alice.serve("plain-callers", graphs.add_constant(10.0), graphs.add_constant(20.0))
    for alias, number in (("champion", 1), ("challenger", 2)):
        assert alice.put(f"/api/v1/models/{made}/aliases/{alias}", {"version": number}).status in (200, 201)
    return made


def _curl(portal: Portal, token: str | None, path: str, *arguments: str) -> bytes:
    command = ["curl", "-sS", "--fail-with-body", f"{portal.url}{path}", "-H", f"Authorization: Bearer {token}"]
    return subprocess.run([*command, *arguments], capture_output=True, check=True).stdout


def test_curl__json_without_content_type__answers(portal: Portal, alice: Client, slug: str) -> None:
    answer = json.loads(_curl(portal, alice.token, f"/v2/models/{slug}/infer", "-d", json.dumps(BODY)))
    assert answer["outputs"][0]["data"] == [11, 12, 13, 14]


def test_curl__gzip_both_ways__answers(portal: Portal, alice: Client, slug: str, tmp_path: Path) -> None:
    (tmp_path / "body.gz").write_bytes(gzip.compress(json.dumps(BODY).encode()))
    options = ("--compressed", "-H", "Content-Encoding: gzip", "--data-binary", f"@{tmp_path / 'body.gz'}")
    answer = json.loads(_curl(portal, alice.token, f"/v2/models/{slug}/infer", *options))
    assert answer["outputs"][0]["data"] == [11, 12, 13, 14]


def test_curl__binary_tensor_from_a_file__answers(portal: Portal, alice: Client, slug: str, tmp_path: Path) -> None:
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 16}}
    head = json.dumps({"inputs": [tensor]}).encode()
    (tmp_path / "body").write_bytes(head + np.array(ROW, np.float32).tobytes())
    options = ("-H", f"Inference-Header-Content-Length: {len(head)}", "--data-binary", f"@{tmp_path / 'body'}")
    answer = json.loads(_curl(portal, alice.token, f"/v2/models/{slug}/infer", *options))
    assert answer["outputs"][0]["data"] == [11, 12, 13, 14]


@pytest.mark.parametrize(("version", "added"), [("1", 10), ("2", 20), ("champion", 10), ("challenger", 20)])
def test_v2__version_or_alias_in_the_path__that_one_answers(alice: Client, slug: str, version: str, added: int) -> None:
    answer = alice.post(f"/v2/models/{slug}/versions/{version}/infer", BODY)
    assert answer.status == 200, answer
    assert answer.body["outputs"][0]["data"] == [value + added for value in ROW]
    assert answer.headers["X-Route-Reason"] == "pinned"


def test_v2__alias_moved__the_next_request_follows(alice: Client, slug: str, portal: Portal) -> None:
    path = f"/api/v1/models/{slug}/aliases/moving"
    for number, added in ((1, 10), (2, 20)):
        assert alice.put(path, {"version": number}).status in (200, 201)

        def follows(wanted: float = ROW[0] + added) -> bool:
            answer = alice.post(f"/v2/models/{slug}/versions/moving/infer", BODY)
            return bool(answer.status == 200 and answer.body["outputs"][0]["data"][0] == wanted)

        portal.wait_until(follows, 5, f"answer by version {number}")


def test_v2__unknown_alias__404(alice: Client, slug: str) -> None:
    answer = alice.post(f"/v2/models/{slug}/versions/nobody/infer", BODY)
    assert (answer.status, answer.v2_error["code"]) == (404, "version_not_found")


@pytest.mark.parametrize(
    ("path", "added"), [("", 10), ("/versions/1", 10), ("/versions/2", 20), ("/labels/challenger", 20)]
)
@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"instances": [ROW, ROW]}, "predictions"),
        ({"instances": [{"x": ROW}, {"x": ROW}]}, "predictions"),
        ({"signature_name": "serving_default", "instances": [ROW, ROW]}, "predictions"),
        ({"inputs": [ROW, ROW]}, "outputs"),
        ({"inputs": {"x": [ROW, ROW]}}, "outputs"),
    ],
)
def test_tensorflow_serving__predict__answers_in_the_same_form(
    alice: Client, slug: str, path: str, added: int, body: dict[str, Any], key: str
) -> None:
    answer = alice.post(f"/v1/models/{slug}{path}:predict", body)
    assert answer.status == 200, answer
    assert answer.body == {key: [[value + added for value in ROW]] * 2}


def test_tensorflow_serving__several_outputs__objects_by_name(alice: Client, name: str) -> None:
    alice.serve(name, graphs.classifier())
    answer = alice.post(f"/v1/models/{name}:predict", {"instances": [[0.0, 0.0, 9.0, 0.0]]})
    assert answer.status == 200, answer
    (prediction,) = answer.body["predictions"]
    assert prediction["label"] == 2
    assert len(prediction["probabilities"]) == 3


@pytest.mark.parametrize(
    "body", [{}, {"instances": []}, {"instances": [[1, 2]]}, {"instances": [ROW], "inputs": [ROW]}, [ROW]]
)
def test_tensorflow_serving__bad_body__400_with_a_sentence(alice: Client, slug: str, body: Any) -> None:
    answer = alice.post(f"/v1/models/{slug}:predict", body)
    assert answer.status == 400
    assert answer.v2_error["error"]


def test_tensorflow_serving__unknown_label_and_no_token__404_and_401(alice: Client, portal: Portal, slug: str) -> None:
    body = {"instances": [ROW]}
    assert alice.post(f"/v1/models/{slug}/labels/nobody:predict", body).status == 404
    assert portal.client(None).post(f"/v1/models/{slug}:predict", body).status == 401
