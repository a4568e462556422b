"""`/api/v1/jobs` over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from inference.models import BatchJob
from registry.access.tokens import digest_of, new_secret
from registry.models import ApiToken, User
from tests.inference.batch.conftest import answers, table

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = "/api/v1/jobs"


@pytest.fixture
def client_of(principal_for, settings, tmp_path) -> Callable[..., Client]:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path

    def make(name: str = "alice", role: str | None = "data_scientist", scopes: tuple = ("read", "jobs")) -> Client:
        principal_for(name, role)
        prefix, token = new_secret()
        ApiToken.objects.create(
            user=User.objects.get(username=name),
            name="test",
            prefix=prefix,
            digest=digest_of(token),
            scopes=list(scopes),
            expires_at=timezone.now() + timedelta(days=1),
        )
        return Client(headers={"Authorization": f"Bearer {token}"})

    return make


@pytest.fixture
def client(client_of, version) -> Client:
    return client_of()


def post(client: Client, data: bytes = table(3), name: str = "rows.csv", key: str = "", **fields):
    headers = {"Idempotency-Key": key} if key else {}
    fields = {"model": "plus", "version": "1", **fields}
    return client.post(JOBS, {"file": SimpleUploadedFile(name, data), **fields}, headers=headers)


def code_of(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_post__table__accepted_run_and_downloaded(client, run_to_end):
    response = post(client, format="csv")
    assert response.status_code == 202
    body = response.json()
    assert response["Location"] == f"{JOBS}/{body['id']}"
    assert {name: body[name] for name in ("status", "model", "version", "endpoint", "format", "n_rows", "error")} == {
        "status": "queued",
        "model": "plus",
        "version": 1,
        "endpoint": None,
        "format": "csv",
        "n_rows": None,
        "error": None,
    }
    run_to_end(BatchJob.objects.get())
    body = client.get(f"{JOBS}/{body['id']}").json()
    assert (body["status"], body["n_rows"], body["n_done"], body["n_failed"]) == ("succeeded", 3, 3, 0)
    assert (body["progress"], body["seconds_left"], body["created_by"]) == (1.0, None, "alice")
    output = client.get(f"{JOBS}/{body['id']}/output")
    assert b"".join(output.streaming_content) == answers(3)
    assert output["Content-Type"] == "text/csv; charset=utf-8"
    assert output["Content-Disposition"] == f'attachment; filename="job-{body["id"]}-output.csv"'
    errors = client.get(f"{JOBS}/{body['id']}/errors")
    assert b"".join(errors.streaming_content) == b""
    assert errors["Content-Type"] == "application/x-ndjson"


def test_post__same_key__200_with_the_same_job_then_409(client):
    first, second = post(client, key="k"), post(client, key="k")
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json()["id"] == second.json()["id"]
    assert code_of(post(client, table(4), key="k")) == (409, "idempotency_key_reused")
    assert BatchJob.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"version": "two"}, (400, "invalid_input")),
        ({"version": "7"}, (404, "not_found")),
        ({"model": "../plus"}, (404, "not_found")),
        ({"model": "", "version": "1"}, (400, "no_target")),
        ({"format": "xml"}, (400, "unknown_format")),
        ({"name": "rows"}, (400, "unknown_format")),
    ],
)
def test_post__wrong_fields__clear_error_and_no_job(client, fields, expected):
    assert code_of(post(client, **fields)) == expected
    assert BatchJob.objects.count() == 0


def test_post__no_file_or_no_form__clear_error(client):
    assert code_of(client.post(JOBS, {"model": "plus", "version": "1"})) == (400, "invalid_input")
    assert code_of(client.post(JOBS, b"{}", content_type="application/json")) == (415, "unsupported_media_type")


def test_post__bad_table__job_fails_with_code_and_sentence(client, run_to_end):
    job_id = post(client, b"x_0,x_1\n1,2\n").json()["id"]
    run_to_end(BatchJob.objects.get())
    body = client.get(f"{JOBS}/{job_id}").json()
    assert (body["status"], body["error"]["code"]) == ("failed", "missing_column")
    assert code_of(client.get(f"{JOBS}/{job_id}/output")) == (409, "no_output")


def test_get__output_before_it_exists__409(client):
    job_id = post(client).json()["id"]
    assert code_of(client.get(f"{JOBS}/{job_id}/output")) == (409, "job_not_done")
    assert code_of(client.get(f"{JOBS}/{job_id}/errors")) == (409, "job_not_done")


def test_cancel__queued__cancelled_and_only_then_ended(client, run_to_end):
    job_id = post(client).json()["id"]
    assert client.post(f"{JOBS}/{job_id}/cancel").json()["status"] == "cancelled"
    assert run_to_end(BatchJob.objects.get()).status == "cancelled"
    other = post(client).json()["id"]
    run_to_end(BatchJob.objects.get(pk=other))
    assert code_of(client.post(f"{JOBS}/{other}/cancel")) == (409, "job_ended")


def test_list__newest_first_paged_and_filtered(client):
    ids = [post(client).json()["id"] for _ in range(3)]
    body = client.get(JOBS, {"page_size": 2}).json()
    assert body["count"] == 3
    assert [job["id"] for job in body["results"]] == ids[:0:-1]
    assert client.get(JOBS, {"status": "failed"}).json()["count"] == 0


def test_stranger__sees_nothing_and_may_do_nothing(client, client_of):
    job_id = post(client).json()["id"]
    charlie = client_of("charlie", None)
    assert charlie.get(JOBS).json()["count"] == 0
    for method, path in (("get", ""), ("post", "/cancel"), ("get", "/output"), ("get", "/errors")):
        response = getattr(charlie, method)(f"{JOBS}/{job_id}{path}")
        missing = getattr(charlie, method)(f"{JOBS}/{uuid4()}{path}")
        assert code_of(response) == code_of(missing) == (404, "not_found")
    assert code_of(post(charlie)) == (404, "not_found")
    assert BatchJob.objects.get().status == "queued"


def test_scopes__each_door_asks_for_its_own(client, client_of):
    job_id = post(client).json()["id"]
    reader, predictor = client_of("alice", scopes=("read",)), client_of("alice", scopes=("predict",))
    assert reader.get(f"{JOBS}/{job_id}").status_code == 200
    assert code_of(post(reader)) == (403, "missing_scope")
    assert code_of(reader.post(f"{JOBS}/{job_id}/cancel")) == (403, "missing_scope")
    assert code_of(predictor.get(JOBS)) == (403, "missing_scope")
    assert Client().get(JOBS).status_code == 401
    viewer = client_of("viewer", "viewer")
    assert code_of(post(viewer)) == (403, "not_allowed")
    assert BatchJob.objects.count() == 1
