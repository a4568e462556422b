"""The artifact proxy: files in and out, and registered versions as folders."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pytest
from django.test import Client

from registry.models import LoggedFile
from registry.services.artifacts import artifact_store
from tests import factories, graphs
from tests.registry.mlflow.conftest import FILES, Call, caller


def listed(call: Call, path: str) -> list[dict[str, Any]]:
    return list(call("GET", FILES, path=path).json()["files"])


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_files__put_listed_read_deleted(call: Call) -> None:
    for path, data in (("a/b/one.txt", b"1"), ("a/two.txt", b"22"), ("ab.txt", b"3"), ("a/empty", b"")):
        assert call("PUT", f"{FILES}/{path}", data).json() == {}
    assert listed(call, "a") == [
        {"path": "b", "is_dir": True},
        {"path": "empty", "is_dir": False, "file_size": 0},
        {"path": "two.txt", "is_dir": False, "file_size": 2},
    ]
    assert listed(call, "a/two.txt") == []
    assert listed(call, "nothing") == []
    answer = call("GET", f"{FILES}/a/two.txt")
    assert (content(answer), answer["Content-Disposition"]) == (b"22", "attachment")
    call("PUT", f"{FILES}/a/two.txt", b"other")
    assert content(call("GET", f"{FILES}/a/two.txt")) == b"other"
    call("DELETE", f"{FILES}/a")
    assert list(LoggedFile.objects.values_list("path", flat=True)) == ["ab.txt"]
    assert call("GET", f"{FILES}/a/two.txt").status_code == 404


@pytest.mark.parametrize("path", ["/", "//", "///", "%2F"])
def test_files__no_path__400_and_all_of_them_stay(call: Call, path: str) -> None:
    call("PUT", f"{FILES}/a/b", b"x")
    for method in ("DELETE", "PUT"):
        refused = call(method, f"{FILES}/{path}", b"y")
        assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), method
        assert refused.json()["message"] == "Name a file or a folder behind “artifacts/”."
    assert list(LoggedFile.objects.values_list("path", flat=True)) == ["a/b"]


def test_files__a_runs_folder__deleted_with_all_in_it_and_nothing_else(call: Call, run_id: str) -> None:
    uri = call("GET", "runs/get", run_id=run_id).json()["run"]["info"]["artifact_uri"]
    root = uri.removeprefix("mlflow-artifacts:/")
    for path in (f"{root}/a", f"{root}/b/c", f"{root}-not", "elsewhere"):
        call("PUT", f"{FILES}/{path}", b"x")
    # The client names a run's own folder with a slash at its end.
    assert call("DELETE", f"{FILES}/{root}/").json() == {}
    assert list(LoggedFile.objects.values_list("path", flat=True)) == [f"{root}-not", "elsewhere"]


def test_file__in_chunks_over_the_quota__413_and_nothing_left(call: Call, client: Client) -> None:
    project = factories.make_project()
    project.quota_bytes = 10
    project.save()
    _row, secret = factories.token_for(factories.make_user("eve", "data_scientist"))
    sent = {
        "wsgi.input": io.BytesIO(b"x" * 11),
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": "",
        "HTTP_AUTHORIZATION": f"Bearer {secret}",
    }
    store = artifact_store()
    coming = set((store.root / "incoming").glob("*"))
    refused = client.generic("PUT", f"{FILES}/a", **sent)  # type: ignore[arg-type]
    assert (refused.status_code, refused.json()["error_code"]) == (413, "RESOURCE_EXHAUSTED")
    assert "quota" in refused.json()["message"]
    assert not LoggedFile.objects.exists()
    assert not store.exists(hashlib.sha256(b"x" * 11).hexdigest())
    assert set((store.root / "incoming").glob("*")) == coming
    sent["wsgi.input"] = io.BytesIO(b"x" * 10)
    assert client.generic("PUT", f"{FILES}/a", **sent).status_code == 200  # type: ignore[arg-type]
    assert [(file.path, file.size) for file in LoggedFile.objects.all()] == [("a", 10)]


def test_file__in_place_of_another__only_the_difference_counts(call: Call) -> None:
    project = factories.make_project()
    project.quota_bytes = 10
    project.save()
    assert [call("PUT", f"{FILES}/a", b"x" * n).status_code for n in (8, 10, 11, 3)] == [200, 200, 413, 200]
    assert call("PUT", f"{FILES}/b", b"x" * 7).status_code == 200


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a/%2e%2e/x", "a%2f..%2fx", "a\\x", "x" * 901, "a/%00", "a/%0a"])
def test_files__climbing_path__refused_and_nothing_written(call: Call, path: str) -> None:
    assert call("PUT", f"{FILES}/{path}", b"x").status_code in (400, 404)
    assert call("GET", FILES, path=path).status_code in (200, 400)
    assert not LoggedFile.objects.exists()


def test_files__a_file_as_a_folder__refused(call: Call) -> None:
    call("PUT", f"{FILES}/a/b", b"x")
    assert call("PUT", f"{FILES}/a", b"x").status_code == 400
    assert call("PUT", f"{FILES}/a/b/c", b"x").status_code == 400


def test_files__over_the_limit_or_the_quota__413_and_nothing_left(call: Call, settings: Any) -> None:
    project = factories.make_project()
    project.quota_bytes = 10
    project.save()
    refused = call("PUT", f"{FILES}/a", b"x" * 11)
    assert (refused.status_code, refused.json()["error_code"]) == (413, "RESOURCE_EXHAUSTED")
    assert call("PUT", f"{FILES}/a", b"x" * 6).status_code == 200
    assert call("PUT", f"{FILES}/b", b"x" * 6).status_code == 413
    project.quota_bytes = None
    project.save()
    settings.PORTAL_MAX_UPLOAD_BYTES = 5
    assert call("PUT", f"{FILES}/c", b"x" * 6).status_code == 413
    assert list(LoggedFile.objects.values_list("path", flat=True)) == ["a"]


def test_files__of_a_stranger__neither_seen_nor_touched(call: Call, client: Client, run_id: str) -> None:
    call("PUT", f"{FILES}/secret.txt", b"x")
    root = call("GET", "runs/get", run_id=run_id).json()["run"]["info"]["artifact_uri"].split(":/")[1]
    call("PUT", f"{FILES}/{root}/f.txt", b"x")
    stranger = caller(client, factories.make_user("eve", "owner", factories.make_project("elsewhere")))
    assert stranger("GET", f"{FILES}/secret.txt").status_code == 404
    for method in ("GET", "PUT", "DELETE"):
        assert stranger(method, f"{FILES}/{root}/f.txt", b"y").status_code == 404
    assert stranger("GET", FILES, path=root).status_code == 404
    assert LoggedFile.objects.count() == 2
    viewer = caller(client, factories.make_user("bob", "viewer"))
    assert content(viewer("GET", f"{FILES}/{root}/f.txt")) == b"x"
    assert viewer("PUT", f"{FILES}/{root}/f.txt", b"y").status_code == 403


def test_version__uploaded_another_way__a_folder_that_mlflow_can_load(call: Call) -> None:
    factories.make_version(factories.make_model("iris"), 3.0)
    uri = call("GET", "model-versions/get-download-uri", name="iris", version="1").json()["artifact_uri"]
    assert uri == "mlflow-artifacts:/registry/iris/1"
    assert [file["path"] for file in listed(call, "registry/iris/1")] == ["MLmodel", "model.onnx", "requirements.txt"]
    assert content(call("GET", f"{FILES}/registry/iris/1/model.onnx")) == graphs.add_constant(3.0)
    described = json.loads(content(call("GET", f"{FILES}/registry/iris/1/MLmodel")))
    assert described["flavors"]["onnx"]["data"] == "model.onnx"
    assert json.loads(described["signature"]["inputs"]) == [
        {"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}
    ]
    page = call("GET", "/model-versions/get-artifact", name="iris", version="1", path="model.onnx")
    assert content(page) == graphs.add_constant(3.0)
    assert call("PUT", f"{FILES}/registry/iris/1/model.onnx", b"x").status_code == 400
    assert call("DELETE", f"{FILES}/registry/iris/1/model.onnx").status_code == 400
    assert call("GET", f"{FILES}/registry/iris/1/nothing").status_code == 404


@pytest.mark.parametrize("status", ["validating", "rejected"])
def test_version__not_ready__no_files(call: Call, status: str) -> None:
    factories.make_version(factories.make_model("iris"), 3.0, status)
    assert call("GET", f"{FILES}/registry/iris/1/model.onnx").status_code == 409
    assert call("GET", FILES, path="registry/iris/1").status_code == 409


def test_parts__501_in_the_words_on_which_the_client_sends_the_file_whole(call: Call) -> None:
    answer = call("POST", "/api/2.0/mlflow-artifacts/mpu/create/a", path="a", num_parts=2)
    assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert answer.json()["message"].startswith("Multipart upload is not supported for the current artifact repository")
