"""What is wrong is refused with the right status and a sentence, changes nothing, and the next request works."""

from __future__ import annotations

import contextlib
import io
import pickle
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from tests import graphs
from tests.flows.portal import Client, Portal

PLUS = graphs.add_constant(10.0)
COUNTS = """SELECT (SELECT count(*) FROM registry_registeredmodel), (SELECT count(*) FROM registry_modelversion),
 (SELECT count(*) FROM inference_endpoint), (SELECT count(*) FROM inference_trafficsplit),
 (SELECT count(*) FROM inference_splitactivation), (SELECT sum(epoch) FROM inference_endpoint),
 (SELECT count(*) FROM inference_batchjob), (SELECT count(*) FROM registry_auditevent
 WHERE action NOT IN ('version.ready', 'version.rejected'))"""


@contextlib.contextmanager
def nothing_changes(portal: Portal) -> Iterator[None]:
    before = portal.query(COUNTS)
    yield
    assert portal.query(COUNTS) == before


@pytest.fixture(scope="module")
def target(alice: Client) -> str:
    """Served for the whole module; no test here may move it."""
    return alice.serve("bad-input", graphs.add_constant(10.0), graphs.add_constant(20.0))


def still_works(alice: Client, target: str) -> None:
    assert alice.infer(target, [[1, 2, 3, 4]]).body["outputs"][0]["data"] == [11, 12, 13, 14]


# --- files ------------------------------------------------------------------------------------------------------------


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../model.onnx", PLUS)
    return buffer.getvalue()


def from_the_future() -> bytes:
    document = onnx.ModelProto.FromString(PLUS)
    document.opset_import[0].version = 99
    return document.SerializeToString()


def with_external_data() -> bytes:
    document = onnx.ModelProto.FromString(PLUS)
    tensor = document.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret_key"
    return document.SerializeToString()


def crashing() -> bytes:
    """ConvTranspose with group 0 ends the runtime with SIGFPE while it loads."""
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], group=0)
    weights = graphs.constant("w", [[[[1.0]]]])
    return graphs.model(
        [node], [graphs.value("x", (1, 1, 4, 4))], [graphs.value("y", None)], [weights]
    ).SerializeToString()


BAD_FILES = {
    "zero bytes": (b"", "empty"),
    "pickle": (pickle.dumps({"weights": [1.0]}, protocol=4), "pickle"),
    "zip that climbs out": (zipped(), "../model.onnx"),
    "html": (b"<!doctype html><html><body>Not found</body></html>", "html"),
    "truncated": (PLUS[: len(PLUS) // 2], ""),
    "future opset": (from_the_future(), "opset"),
    "external data": (with_external_data(), "external"),
    "crash": (crashing(), ""),
    "noise": (bytes(range(256)) * 40, ""),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_upload__no_usable_model__refused_or_rejected_with_a_sentence(
    alice: Client, target: str, name: str, kind: str
) -> None:
    data, word = BAD_FILES[kind]
    alice.post("/api/v1/models", {"name": name})
    answer = alice.upload(name, data)
    if answer.status == 202:
        version = alice.version(name, answer.body["number"])
        assert version["status"] == "rejected", version
        report = version["report"]
    else:
        assert 400 <= answer.status < 500
        report = answer.error
    assert report["code"]
    assert report["message"].rstrip().endswith((".", "!", ")"))
    assert word in f"{report['code']} {report['message']}".lower(), report
    for secret in ("/tmp", "/work", "Traceback", "site-packages"):
        assert secret not in str(report)
    (good,) = [alice.upload(name, PLUS)]
    assert alice.version(name, good.body["number"])["status"] == "ready"
    still_works(alice, target)


def test_upload__same_bytes_again__409_names_the_version(portal: Portal, alice: Client, target: str) -> None:
    with nothing_changes(portal):
        again = alice.upload(target, graphs.add_constant(20.0))
    assert (again.status, again.error["code"]) == (409, "same_bytes")
    assert again.error["details"]["number"] == 2
    assert "version 2" in again.error["message"]


def test_upload__no_file_field_or_no_multipart__refused(portal: Portal, alice: Client, target: str) -> None:
    path = f"/api/v1/models/{target}/versions"
    with nothing_changes(portal):
        no_file = alice._pool.request(
            "POST", portal.url + path, fields={"description": "x"}, headers={"Authorization": f"Bearer {alice.token}"}
        )
        as_json = alice.post(path, {"file": "x"})
        bare = alice.call("POST", path, b"abc", {"Content-Type": "application/octet-stream"})
    assert no_file.status == 400
    assert as_json.status in (400, 415)
    assert bare.status == 415
    assert bare.error["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "file_name", ["../../etc/passwd", "<script>alert(1)</script>.onnx", "a\x07b.onnx", "=cmd|x.onnx", "ü" * 300]
)
def test_upload__strange_file_name__kept_for_display_only(
    portal: Portal, alice: Client, name: str, file_name: str
) -> None:
    alice.post("/api/v1/models", {"name": name})
    answer = alice.upload(name, PLUS, file_name)
    assert answer.status == 202, answer
    shown = answer.body["file_name"]
    assert "/" not in shown
    assert "\x07" not in shown
    assert len(shown) <= 255
    stored = [path for path in (portal.data / "artifacts").rglob("*") if path.is_file()]
    assert all(path.is_relative_to(portal.data / "artifacts") for path in stored)
    assert not any("passwd" in path.name or "script" in path.name for path in stored)


def test_upload__client_breaks_off__leaves_no_version_and_no_file(portal: Portal, alice: Client, target: str) -> None:
    incoming = portal.data / "artifacts" / "incoming"

    def lying() -> list[Path]:
        return [path for path in incoming.glob("**/*") if path.is_file()]

    before = lying()
    head = (
        f"POST /api/v1/models/{target}/versions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {alice.token}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\n'
    )
    with nothing_changes(portal):
        with socket.create_connection(("127.0.0.1", portal.port)) as connection:
            connection.sendall(head.encode() + PLUS + b"\0" * 4_000_000)
            portal.wait_until(lambda: len(lying()) > len(before), 10, "file in artifacts/incoming")
        portal.wait_until(lambda: lying() == before, 15, "tidy artifacts/incoming")
        time.sleep(0.3)
    still_works(alice, target)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", ["", "../x", "a/b", "<b>x</b>", "a b", "x" * 129, "-x", ".hidden", "x\x00y", "ü", "a\u202eb", "upload", None]
)
def test_model__bad_name__400_and_nothing_made(portal: Portal, alice: Client, bad: Any) -> None:
    with nothing_changes(portal):
        answer = alice.post("/api/v1/models", {"name": bad})
    assert answer.status == 400
    assert "name" in str(answer.error["details"])


@pytest.mark.parametrize("bad", ["", "../x", "UPPER", "a_b", "<b>", "x" * 65, "-x", "x-", "a\x00"])
def test_endpoint__bad_slug__400_and_nothing_made(portal: Portal, alice: Client, target: str, bad: str) -> None:
    with nothing_changes(portal):
        answer = alice.post("/api/v1/endpoints", {"slug": bad, "model": target})
    assert answer.status == 400
    assert answer.error["message"]


def test_name_taken__409(portal: Portal, alice: Client, target: str) -> None:
    with nothing_changes(portal):
        model = alice.post("/api/v1/models", {"name": target})
        endpoint = alice.post("/api/v1/endpoints", {"slug": target, "model": target})
        no_model = alice.post("/api/v1/endpoints", {"slug": "fresh", "model": "no-such-model"})
    assert (model.status, model.error["code"]) == (409, "name_taken")
    assert (endpoint.status, endpoint.error["code"]) == (409, "slug_taken")
    assert (no_model.status, no_model.error["code"]) == (400, "unknown_model")


def test_description__markup__stored_as_text_and_escaped_by_json_only(alice: Client, name: str) -> None:
    text = '<img src=x onerror="alert(1)">'
    assert alice.post("/api/v1/models", {"name": name, "description": text}).body["description"] == text


# --- traffic ----------------------------------------------------------------------------------------------------------


def share(variant: Any = "stable", version: Any = 1, weight_bp: Any = 10_000) -> dict[str, Any]:
    return {"variant": variant, "version": version, "weight_bp": weight_bp}


BAD_SPLITS: dict[str, tuple[Any, str]] = {
    "sum below": ([share(weight_bp=9000)], "weights_do_not_sum"),
    "sum above": ([share(weight_bp=9000), share("canary", 2, 2000)], "weights_do_not_sum"),
    "twice the same variant": ([share(weight_bp=5000), share(weight_bp=5000)], "duplicate_variant"),
    "no shares": ([], "invalid_input"),
    "negative": ([share(weight_bp=-1), share("canary", 2, 10_001)], "invalid_input"),
    "fraction": ([share(weight_bp=99.5), share("canary", 2, 9900.5)], "invalid_input"),
    "bad variant": ([share("<b>")], "invalid_variant"),
    "unknown version": ([share(version=99)], "unknown_version"),
    "huge version": ([share(version=10**12)], "unknown_version"),
    "not a list": ("all to 1", "invalid_input"),
}


@pytest.mark.parametrize("kind", BAD_SPLITS)
def test_split__bad_shares__400_and_nothing_moves(portal: Portal, alice: Client, target: str, kind: str) -> None:
    shares, code = BAD_SPLITS[kind]
    with nothing_changes(portal):
        answer = alice.put(f"/api/v1/endpoints/{target}/split", {"shares": shares, "reason": "a test"})
    assert answer.status == 400, answer
    assert answer.error["code"] == code
    still_works(alice, target)


def test_promote__rejected_version__409_and_nothing_moves(portal: Portal, alice: Client, name: str) -> None:
    slug = alice.serve(name, PLUS)
    answer = alice.upload(slug, from_the_future())
    number = answer.body.get("number", 2)
    assert alice.version(slug, number)["status"] == "rejected"
    with nothing_changes(portal):
        promoted = alice.post(f"/api/v1/endpoints/{slug}/promote", {"version": number, "reason": "a test"})
    assert (promoted.status, promoted.error["code"]) == (409, "version_not_ready")
    assert "rejected" in promoted.error["message"]
    still_works(alice, slug)


@pytest.mark.parametrize(
    "body", [{"version": 1}, {"version": 1, "reason": "  "}, {"reason": "x"}, {"version": "one", "reason": "x"}]
)
def test_promote__incomplete_body__400(portal: Portal, alice: Client, target: str, body: dict[str, Any]) -> None:
    with nothing_changes(portal):
        answer = alice.post(f"/api/v1/endpoints/{target}/promote", body)
    assert answer.status == 400
    assert answer.error["message"]


# --- bodies -----------------------------------------------------------------------------------------------------------

BAD_JSON = [
    b"{",
    b"",
    b"[]",
    b"null",
    b'{"a": NaN}',
    b'{"a": 1} x',
    b'{"a": 1, "a": 2}',
    b"\xff\xfe",
    b'{"a":' * 2000 + b"1" + b"}" * 2000,
]


@pytest.mark.parametrize("body", BAD_JSON, ids=range(len(BAD_JSON)))
def test_body__no_proper_json__400_in_the_shape_of_its_api(
    portal: Portal, alice: Client, target: str, body: bytes
) -> None:
    kind = {"Content-Type": "application/json"}
    with nothing_changes(portal):
        management = alice.call("POST", f"/api/v1/endpoints/{target}/promote", body, kind)
        prediction = alice.call("POST", f"/v2/models/{target}/infer", body, kind)
    assert management.status == 400
    assert management.error["message"]
    assert prediction.status == 400
    assert prediction.v2_error["code"]
    still_works(alice, target)


def tensor(**changes: Any) -> dict[str, Any]:
    right: dict[str, Any] = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
    return {"inputs": [{key: value for key, value in {**right, **changes}.items() if value is not ...}]}


BAD_TENSORS: dict[str, dict[str, Any]] = {
    "wrong dtype": tensor(datatype="INT64"),
    "unknown dtype": tensor(datatype="FLOAT"),
    "wrong shape": tensor(shape=[1, 3], data=[1, 2, 3]),
    "shape and data disagree": tensor(shape=[2, 4]),
    "negative shape": tensor(shape=[-1, 4]),
    "shape of bools": tensor(shape=[True, 4]),
    "text in numbers": tensor(data=[1, 2, 3, "4"]),
    "null in numbers": tensor(data=[1, 2, 3, None]),
    "ragged": tensor(shape=[2, 2], data=[[1, 2], [3]]),
    "too large for FP32": tensor(data=[1, 2, 3, 1e300]),
    "unknown tensor": tensor(name="X"),
    "no data": tensor(data=...),
    "no shape": tensor(shape=...),
    "no inputs": {"outputs": []},
    "twice": {"inputs": tensor()["inputs"] * 2},
    "unknown output": {**tensor(), "outputs": [{"name": "z"}]},
}


@pytest.mark.parametrize("kind", BAD_TENSORS)
def test_infer__bad_tensor__400_naming_it(alice: Client, target: str, kind: str) -> None:
    answer = alice.post(f"/v2/models/{target}/infer", BAD_TENSORS[kind])
    assert answer.status == 400, answer
    sentence = answer.v2_error["error"]
    assert any(
        word in sentence for word in ("“x”", "'x'", '"x"', "“X”", "'X'", '"X"', "'z'", '"z"', "“z”", "inputs")
    ), sentence
    still_works(alice, target)


def test_infer__unknown_endpoint_or_version__404(alice: Client, target: str) -> None:
    assert alice.infer("no-such-endpoint", [[1, 2, 3, 4]]).v2_error["code"] == "endpoint_not_found"
    missing = [
        alice.infer("no-such-endpoint", [[1, 2, 3, 4]]).status,
        alice.infer(target, [[1, 2, 3, 4]], version=77).status,
    ]
    assert missing == [404, 404]
    odd = alice.post(f"/v2/models/{target}/versions/latest/infer", tensor())
    assert (odd.status, odd.v2_error["code"]) == (404, "version_not_found")


def test_infer__nothing_promoted__503_with_retry_after(alice: Client, name: str) -> None:
    alice.register(name, PLUS)
    alice.post("/api/v1/endpoints", {"slug": name, "model": name})
    answer = alice.infer(name, [[1, 2, 3, 4]])
    assert (answer.status, answer.v2_error["code"]) == (503, "nothing_promoted")
    assert int(answer.headers["Retry-After"]) > 0


def test_infer__other_type__415(alice: Client, target: str) -> None:
    path = f"/v2/models/{target}/infer"
    for headers in (
        {"Content-Type": "text/csv"},
        {"Content-Type": "application/json; charset=utf-16"},
    ):
        answer = alice.call("POST", path, b"{}", headers)
        assert (answer.status, answer.v2_error["code"]) == (415, "unsupported_media_type")


def test_infer__unknown_compression__415(alice: Client, target: str) -> None:
    answer = alice.call("POST", f"/v2/models/{target}/infer", b"{}", {"Content-Encoding": "br"})
    assert (answer.status, answer.v2_error["code"]) == (415, "unsupported_encoding")


def test_paths__unknown_or_wrong_method__json_errors(alice: Client, target: str) -> None:
    assert alice.get("/api/v1/nothing-here").error["code"] == "not_found"
    assert alice.get("/v2/nothing-here").v2_error["code"] == "not_found"
    assert alice.call("DELETE", "/api/v1/audit").status in (403, 405)
    assert alice.get(f"/v2/models/{target}/infer").status in (403, 405)
