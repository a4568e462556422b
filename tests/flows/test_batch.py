"""Offline scoring: every row once, in order, whatever happens to the workers."""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest

from tests import graphs
from tests.flows.portal import Answer, Client, Portal

N_ROWS = 100_000
HEADER = b"x_0,x_1,x_2,x_3\n"


@pytest.fixture(scope="module")
def target(alice: Client) -> str:
    """Version 1 answers x + 10."""
    return alice.serve("batch", graphs.add_constant(10.0), graphs.add_constant(20.0))


@pytest.fixture(scope="module")
def heavy(alice: Client) -> str:
    """The same, slow enough that something can happen to a job meanwhile."""
    return alice.serve("batch-heavy", graphs.heavy_add_constant(10.0))


def submit(client: Client, target: str, data: bytes, name: str = "rows.csv", **fields: str) -> Answer:
    fields.setdefault("endpoint", target)
    return client.send_file("/api/v1/jobs", data, name, **fields)


def ended(client: Client, job_id: str, seconds: float = 120) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        body = dict(client.get(f"/api/v1/jobs/{job_id}").body)
        if body["status"] not in ("queued", "running"):
            return body
        time.sleep(0.1)
    raise AssertionError(f"the job did not end: {body}")


def csv(n_rows: int) -> bytes:
    return HEADER + b"".join(b"%d,%d,0.5,-1\n" % (number, number + 1) for number in range(n_rows))


def test_job__hundred_thousand_rows_and_workers_killed__every_row_once_in_order(
    portal: Portal, alice: Client, heavy: str
) -> None:
    answer = submit(alice, heavy, csv(N_ROWS))
    assert answer.status == 202, answer
    path = f"/api/v1/jobs/{answer.body['id']}"
    main, *pool = portal.children("celery", "worker")
    portal.wait_until(lambda: alice.get(path).body["n_done"] > 0, 60, "first chunk")
    for member in (*pool, main):
        member.send_signal(signal.SIGKILL)
    before = alice.get(path).body
    job = ended(alice, answer.body["id"])
    assert before["n_done"] < N_ROWS, "the job was through before a worker was killed: make the model heavier"
    assert (job["status"], job["n_rows"], job["n_done"], job["n_failed"]) == ("succeeded", N_ROWS, N_ROWS, 0)
    head, *lines = alice.get(f"{path}/output").body.decode().splitlines()
    assert len(lines) == N_ROWS
    columns = head.split(",")
    places = [columns.index(f"y_{number}") for number in range(4)]
    for number, line in enumerate(lines):
        values = line.split(",")
        assert [float(values[place]) for place in places] == [number + 10, number + 11, 10.5, 9]


def test_job__jsonl__one_answer_per_line(alice: Client, target: str) -> None:
    data = b"".join(json.dumps({"x": [number, 0, 0, 1]}).encode() + b"\n" for number in range(300))
    answer = submit(alice, target, data, "rows.jsonl", format="jsonl")
    assert answer.status == 202, answer
    assert ended(alice, answer.body["id"])["status"] == "succeeded"
    output = alice.get(f"/api/v1/jobs/{answer.body['id']}/output").body.decode().splitlines()
    assert [json.loads(line)["y"] for line in output] == [[number + 10, 10, 10, 11] for number in range(300)]


def test_job__bad_rows__others_delivered_and_each_listed_with_its_reason(alice: Client, target: str) -> None:
    lines = [b"%d,1,2,3\n" % number for number in range(1000)]
    lines[10] = b"oops,1,2,3\n"
    lines[500] = b"1,2\n"
    lines[999] = b"1,2,,4\n"
    answer = submit(alice, target, HEADER + b"".join(lines))
    assert answer.status == 202, answer
    job = ended(alice, answer.body["id"])
    assert (job["status"], job["n_done"], job["n_failed"]) == ("succeeded_with_errors", 997, 3)
    errors = alice.get(f"/api/v1/jobs/{job['id']}/errors").body
    listed = errors.decode() if isinstance(errors, bytes) else json.dumps(errors)
    assert listed.count("\n") >= 3
    assert "oops" in listed or "number" in listed
    output = alice.get(f"/api/v1/jobs/{job['id']}/output").body.decode()
    assert len(output.splitlines()) in (998, 1001)


BAD_TABLES = {
    "no rows at all": (b"", "rows.csv"),
    "missing column": (b"x_0,x_1,x_2\n1,2,3\n", "rows.csv"),
    "no utf-8": (b"x_0,x_1,x_2,x_3\n\xff\xfe,1,2,3\n", "rows.csv"),
    "not json": (b"x_0,x_1\n1,2\n", "rows.jsonl"),
    "a pickle": (b"\x80\x04]\x94.", "rows.csv"),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_job__unusable_table__refused_or_failed_with_a_sentence(alice: Client, target: str, kind: str) -> None:
    data, name = BAD_TABLES[kind]
    answer = submit(alice, target, data, name, format=name.rpartition(".")[2])
    if answer.status == 202:
        job = ended(alice, answer.body["id"])
        assert job["status"] in ("failed", "succeeded_with_errors"), job
        assert job["n_done"] == 0
        error = job["error"] or {"code": "rows", "message": str(alice.get(f"/api/v1/jobs/{job['id']}/errors").body)}
    else:
        assert 400 <= answer.status < 500, answer
        error = answer.error
    assert error["code"]
    assert error["message"]
    assert "Traceback" not in error["message"]
    good = submit(alice, target, HEADER + b"1,2,3,4\n")
    assert ended(alice, good.body["id"])["status"] == "succeeded"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"endpoint": "no-such"}, {400, 404}),
        ({"endpoint": "", "model": "batch"}, {400}),
        ({"endpoint": "", "model": "batch", "version": "99"}, {400, 404}),
        ({"endpoint": "", "model": "batch", "version": "x"}, {400}),
        ({"format": "parquet"}, {400}),
    ],
)
def test_job__bad_fields__4xx_and_no_job(
    portal: Portal, alice: Client, target: str, fields: dict[str, str], status: set[int]
) -> None:
    before = portal.query("SELECT count(*) FROM inference_batchjob")
    answer = submit(alice, target, HEADER + b"1,2,3,4\n", **fields)
    assert answer.status in status, answer
    assert answer.error["message"]
    assert portal.query("SELECT count(*) FROM inference_batchjob") == before


def test_idempotency_key__same_request_twice__one_job(alice: Client, target: str) -> None:
    data = HEADER + b"1,2,3,4\n"
    first = submit(alice, target, data, idempotency_key="night-1")
    second = submit(alice, target, data, idempotency_key="night-1")
    other = submit(alice, target, HEADER + b"9,9,9,9\n", idempotency_key="night-1")
    assert (first.status, second.status) == (202, 200)
    assert first.body["id"] == second.body["id"]
    assert other.status == 409
    assert other.error["message"]


def test_cancel__running_job__ends_and_can_be_cancelled_again(
    portal: Portal, alice: Client, bob: Client, heavy: str
) -> None:
    answer = submit(alice, heavy, csv(N_ROWS))
    path = f"/api/v1/jobs/{answer.body['id']}"
    assert bob.post(f"{path}/cancel").status == 403
    cancelled = alice.post(f"{path}/cancel")
    assert cancelled.status in (200, 202), cancelled
    assert ended(alice, answer.body["id"])["status"] == "cancelled"
    assert alice.post(f"{path}/cancel").status in (200, 202, 409)
    assert alice.get(f"{path}/output").status in (404, 409)


def test_jobs__stranger_and_viewer__hidden_and_read_only(
    alice: Client, bob: Client, charlie: Client, target: str
) -> None:
    job = submit(alice, target, HEADER + b"1,2,3,4\n").body
    ended(alice, job["id"])
    assert bob.get(f"/api/v1/jobs/{job['id']}").status == 200
    assert submit(bob, target, HEADER + b"1,2,3,4\n").status == 403
    for suffix in ("", "/output", "/errors"):
        assert charlie.get(f"/api/v1/jobs/{job['id']}{suffix}").status == 404
    assert charlie.post(f"/api/v1/jobs/{job['id']}/cancel").status == 404


def test_job__promoted_meanwhile__keeps_its_version(alice: Client, target: str) -> None:
    answer = submit(alice, target, csv(5_000))
    alice.promote(target, 2)
    job = ended(alice, answer.body["id"])
    assert job["version"] == 1
    output = alice.get(f"/api/v1/jobs/{job['id']}/output").body.decode().splitlines()
    assert "10.0" in output[1].split(",") or "10" in output[1].split(",")
    alice.promote(target, 1)
