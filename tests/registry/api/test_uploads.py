"""Uploads in parts over HTTP: headers, statuses and shapes; the rules themselves are in `services/test_uploads.py`."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.models import ModelVersion, Project, Upload, UploadPart, User
from registry.services import uploads
from tests import factories, graphs

pytestmark = pytest.mark.django_db
Call = Callable[..., Any]
PART = uploads.MIN_PART_BYTES
DATA = b"a" * PART + b"b" * 10


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def content_digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def caller(client: Client, owner: User, *scopes: str) -> Call:
    _row, secret = factories.token_for(owner, *scopes)

    def ask(method: str, path: str, body: Any = None, **headers: str) -> Any:
        facts: dict[str, Any] = {}
        if isinstance(body, bytes):
            facts = {"data": body, "content_type": headers.pop("content_type", "application/octet-stream")}
        elif body is not None:
            facts = {"data": json.dumps(body), "content_type": "application/json"}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.generic(method, path, headers={"Authorization": f"Bearer {secret}", **sent}, **facts)

    return ask


@pytest.fixture
def anna() -> User:
    return factories.make_user("anna", "data_scientist")


@pytest.fixture
def call(client: Client, anna: User) -> Call:
    return caller(client, anna)


def begun(call: Call, data: bytes = DATA, **wish: Any) -> str:
    answer = call("POST", "/api/v1/uploads", {"size": len(data), "part_size": PART, **wish})
    assert answer.status_code == 201, answer.content
    return f"/api/v1/uploads/{answer.json()['id']}"


def done(call: Call, data: bytes, **wish: Any) -> str:
    """The id of a complete upload."""
    path = begun(call, data, **wish)
    for number in range(1, -(-len(data) // PART) + 1):
        answer = call("PUT", f"{path}/parts/{number}", data[(number - 1) * PART : number * PART])
        assert answer.status_code == 200, answer.content
    assert call("POST", f"{path}/complete").status_code == 200
    return path.rpartition("/")[2]


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_upload__from_the_first_call_to_the_version__each_answer_says_where_it_stands(call: Call) -> None:
    data = graphs.add_constant(1.0)
    answer = call("POST", "/api/v1/uploads", {"size": len(data), "file_name": "a/model.onnx", "sha256": sha(data)})
    assert answer.status_code == 201
    made = answer.json()
    assert {
        name: made[name] for name in ("project", "file_name", "size", "part_size", "n_parts", "state", "parts")
    } == {
        "project": "default",
        "file_name": "model.onnx",
        "size": len(data),
        "part_size": 32 << 20,
        "n_parts": 1,
        "state": "open",
        "parts": [],
    }
    path = f"/api/v1/uploads/{made['id']}"
    part = {"number": 1, "sha256": sha(data), "size": len(data)}
    for _ in range(2):
        answer = call("PUT", f"{path}/parts/1", data, Content_Digest=content_digest(data))
        assert (answer.status_code, answer.json()) == (200, part)
    assert call("GET", path).json()["parts"] == [part]
    (row,) = call("GET", "/api/v1/uploads").json()["results"]
    assert (row["id"], row["n_received"], row["received_bytes"]) == (made["id"], 1, len(data))
    assert "parts" not in row
    for _ in range(2):
        answer = call("POST", f"{path}/complete")
        assert (answer.status_code, answer.json()["sha256"], answer.json()["state"]) == (200, sha(data), "complete")
    factories.make_model("iris")
    about = {"description": "First", "tags": {"a": "b"}, "metrics": {"auc": 0.9}}
    answer = call("POST", "/api/v1/models/iris/versions", {"upload": made["id"], **about})
    assert answer.status_code == 202
    version = answer.json()
    expected = {"status": "validating", "sha256": sha(data), "file_name": "model.onnx", **about}
    assert {name: version[name] for name in expected} == expected
    assert call("GET", path).json()["state"] == "used"
    assert call("GET", "/api/v1/uploads").json()["results"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Digest": content_digest(DATA[:PART])},
        {"Content_Digest": f"md5=:AAAA:, {content_digest(DATA[:PART])}"},
        {"X_Content_SHA256": sha(DATA[:PART])},
        {"X_Content_SHA256": sha(DATA[:PART]).upper()},
        {"X_Content_SHA256": sha(DATA[:PART]), "Content_Digest": content_digest(DATA[:PART])},
        {},
    ],
)
def test_part__digest_as_one_likes__taken(call: Call, headers: dict[str, str]) -> None:
    answer = call("PUT", f"{begun(call)}/parts/1", DATA[:PART], **headers)
    assert (answer.status_code, answer.json()["sha256"]) == (200, sha(DATA[:PART]))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content_Digest": content_digest(b"other")}, (422, "digest_mismatch")),
        ({"X_Content_SHA256": sha(b"other")}, (422, "digest_mismatch")),
        ({"Content_Digest": "sha-256=:not base64:"}, (400, "invalid_digest")),
        ({"Content_Digest": "sha-256=:AAAA:"}, (400, "invalid_digest")),
        ({"Content_Digest": "sha-256=:A:"}, (400, "invalid_digest")),
        ({"Content_Digest": "md5=:AAAA:"}, (400, "invalid_digest")),
        ({"X_Content_SHA256": "short"}, (400, "invalid_digest")),
        ({"X_Content_SHA256": sha(b"1"), "Content_Digest": content_digest(b"2")}, (400, "invalid_digest")),
    ],
)
def test_part__wrong_digest__refused_and_not_kept(call: Call, headers: dict[str, str], expected: Any) -> None:
    assert code(call("PUT", f"{begun(call)}/parts/1", DATA[:PART], **headers)) == expected
    assert UploadPart.objects.count() == 0


def test_part__other_bytes__409_with_what_is_there(call: Call) -> None:
    path = begun(call)
    call("PUT", f"{path}/parts/1", DATA[:PART])
    answer = call("PUT", f"{path}/parts/1", b"x" * PART)
    assert code(answer) == (409, "part_differs")
    assert answer.json()["error"]["details"] == {"number": 1, "sha256": sha(DATA[:PART])}


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data", "application/x-www-form-urlencoded"]
)
def test_part__any_content_type__bytes_as_they_are(call: Call, content_type: str) -> None:
    answer = call("PUT", f"{begun(call)}/parts/2", DATA[PART:], content_type=content_type)
    assert (answer.status_code, answer.json()["sha256"]) == (200, sha(DATA[PART:]))


@pytest.mark.parametrize(
    ("number", "body", "expected"),
    [(1, b"", "part_size"), (2, b"x" * 11, "part_size"), (3, b"x", "part_number"), (0, b"x", "part_number")],
)
def test_part__size_or_number_that_is_not_so__400(call: Call, number: int, body: bytes, expected: str) -> None:
    assert code(call("PUT", f"{begun(call)}/parts/{number}", body)) == (400, expected)


def test_complete__holes__409_names_them(call: Call) -> None:
    path = begun(call)
    answer = call("POST", f"{path}/complete")
    assert code(answer) == (409, "parts_missing")
    assert answer.json()["error"]["details"] == {"missing": [1, 2], "n_missing": 2, "n_parts": 2}


def test_complete__lying_digest__422(call: Call) -> None:
    path = begun(call)
    for number, data in ((1, DATA[:PART]), (2, DATA[PART:])):
        call("PUT", f"{path}/parts/{number}", data)
    assert code(call("POST", f"{path}/complete", {"sha256": sha(b"other")})) == (422, "digest_mismatch")
    assert call("POST", f"{path}/complete", {"sha256": sha(DATA)}).status_code == 200


def test_delete__gone_for_good(call: Call) -> None:
    path = begun(call)
    assert call("DELETE", path).status_code == 204
    assert [call(method, path).status_code for method in ("GET", "DELETE")] == [404, 404]
    assert code(call("PUT", f"{path}/parts/1", DATA[:PART])) == (404, "not_found")


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"size": 0},
        {"size": -1},
        {"size": "x"},
        {"size": 1.5},
        {"size": 2**63},
        {"size": 1, "part_size": 1},
        {"size": 1, "sha256": "x"},
        {"size": 1, "file_name": ["m.onnx"]},
        {"size": 1, "file_name": "a\x00b"},
    ],
)
def test_begin__wrong_body__400(call: Call, wish: dict[str, Any]) -> None:
    factories.make_project()
    assert call("POST", "/api/v1/uploads", wish).status_code == 400
    assert Upload.objects.count() == 0


def test_begin__unknown_project__404_and_the_models_own_otherwise(call: Call, anna: User) -> None:
    assert code(call("POST", "/api/v1/uploads", {"size": 1, "project": "nowhere"})) == (404, "not_found")
    other = factories.make_project("other")
    anna.memberships.create(project=other, role="data_scientist")
    factories.make_model("there", other)
    assert call("POST", "/api/v1/uploads", {"size": 1, "model": "there"}).json()["project"] == "other"
    assert call("POST", "/api/v1/uploads", {"size": 1, "model": "new"}).json()["project"] == "default"


def test_begin__over_quota__413_and_a_sentence(call: Call) -> None:
    factories.make_project()
    Project.objects.update(quota_bytes=10_000_000)
    answer = call("POST", "/api/v1/uploads", {"size": 20_000_000})
    assert code(answer) == (413, "over_quota")
    assert answer.json()["error"]["details"] == {
        "kept_bytes": 0,
        "more_bytes": 20_000_000,
        "quota_bytes": 10_000_000,
    }
    assert "keeps 0\u202fB of its quota of 10.0\u202fMB" in answer.json()["error"]["message"]


def test_file_in_one_form__over_the_projects_limits__413_and_no_version(call: Call, client: Client, anna: User) -> None:
    model = factories.make_model("iris")
    _row, secret = factories.token_for(anna)

    def send() -> Any:
        file = SimpleUploadedFile("m.onnx", graphs.add_constant(1.0))
        return client.post(
            "/api/v1/models/iris/versions", {"file": file}, headers={"Authorization": f"Bearer {secret}"}
        )

    Project.objects.update(max_upload_bytes=10)
    assert code(send()) == (413, "too_large")
    Project.objects.update(max_upload_bytes=None, quota_bytes=10)
    assert code(send()) == (413, "over_quota")
    Project.objects.update(quota_bytes=None)
    assert send().status_code == 202
    assert ModelVersion.objects.filter(model=model).count() == 1


def test_upload__of_somebody_else__404_everywhere(call: Call, client: Client) -> None:
    path = begun(call)
    ben = caller(client, factories.make_user("ben", "owner"))
    asked = [
        ("GET", path, None),
        ("DELETE", path, None),
        ("PUT", f"{path}/parts/1", DATA[:PART]),
        ("POST", f"{path}/complete", {}),
    ]
    assert [code(ben(*item)) for item in asked] == [(404, "not_found")] * 4
    assert ben("GET", "/api/v1/uploads").json()["results"] == []
    assert code(call("GET", f"/api/v1/uploads/{uuid4()}")) == (404, "not_found")


def test_upload__role_taken_away_meanwhile__refused(call: Call, anna: User) -> None:
    path = begun(call)
    anna.memberships.update(role="viewer")
    assert code(call("PUT", f"{path}/parts/1", DATA[:PART])) == (403, "not_allowed")
    anna.memberships.all().delete()
    assert code(call("PUT", f"{path}/parts/1", DATA[:PART])) == (404, "not_found")


def test_upload__token_without_the_scope__403(client: Client, anna: User) -> None:
    answer = caller(client, anna, "read")("POST", "/api/v1/uploads", {"size": 1})
    assert code(answer) == (403, "missing_scope")


def test_versions__bundle_of_uploads__files_listed(call: Call) -> None:
    factories.make_model("iris")
    model, weights = done(call, graphs.add_constant(1.0)), done(call, b"w" * 100)
    body = {"files": [{"name": "weights.bin", "upload": weights}, {"name": "model.onnx", "upload": model}]}
    answer = call("POST", "/api/v1/models/iris/versions", body)
    assert answer.status_code == 202, answer.content
    assert [item["name"] for item in answer.json()["files"]] == ["model.onnx", "weights.bin"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "invalid_input")),
        ({"upload": "x"}, (400, "invalid_input")),
        ({"files": []}, (400, "invalid_input")),
        ({"files": [{"name": "a"}]}, (400, "invalid_input")),
        ({"upload": str(uuid4()), "files": [{"name": "a", "upload": str(uuid4())}]}, (400, "invalid_input")),
        ({"upload": str(uuid4())}, (404, "not_found")),
        ({"upload": str(uuid4()), "tags": "x"}, (404, "not_found")),
    ],
)
def test_versions__wrong_json__refused(call: Call, body: dict[str, Any], expected: tuple[int, str]) -> None:
    factories.make_model("iris")
    assert code(call("POST", "/api/v1/models/iris/versions", body)) == expected


def test_versions__wrong_tags__400_and_the_upload_stays(call: Call) -> None:
    factories.make_model("iris")
    upload = done(call, graphs.add_constant(1.0))
    body = {"upload": upload, "tags": {"a": 1}}
    assert call("POST", "/api/v1/models/iris/versions", body).status_code == 400
    assert Upload.objects.get().state == "complete"


def test_session__without_csrf_token__refused(anna: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(anna, "django.contrib.auth.backends.ModelBackend")
    answer = strict.post("/api/v1/uploads", {"size": 1}, content_type="application/json")
    assert code(answer) == (403, "not_allowed")
