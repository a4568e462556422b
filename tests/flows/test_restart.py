"""What stood before Ctrl-C, or a `kill -9` of everything, stands afterwards; and what happens without a store."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests import graphs
from tests.flows.portal import ALL_SCOPES, ROOT, Client, Load, Portal, running

ROWS = b"x_0,x_1,x_2,x_3\n" + b"".join(b"%d,0,0,0\n" % number for number in range(500))
FACTS = """SELECT (SELECT count(*) FROM registry_auditevent), (SELECT max(mac) FROM registry_audithead),
 (SELECT array_agg(sha256 ORDER BY id) FROM registry_modelversion),
 (SELECT array_agg(epoch ORDER BY id) FROM inference_endpoint),
 (SELECT array_agg(table_ ORDER BY id) FROM (SELECT id, "table"::text AS table_ FROM inference_trafficsplit) t)"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """With the demo content, as a newcomer has it."""
    with running(tmp_path_factory.mktemp("restart") / "data", "--host", "127.0.0.1") as started:
        yield started


@pytest.fixture(scope="module")
def admin_there(own: Portal) -> Client:
    return own.client(own.create_token("admin", *ALL_SCOPES))


@pytest.fixture(scope="module")
def there(admin_there: Client) -> str:
    slug = admin_there.serve("lasting", graphs.add_constant(10.0), graphs.add_constant(20.0))
    assert admin_there.split(slug, stable=(1, 8000), canary=(2, 2000)).status == 200
    return slug


@pytest.fixture(scope="module")
def job(admin_there: Client, there: str) -> dict[str, Any]:
    answer = admin_there.send_file("/api/v1/jobs", ROWS, "rows.csv", model=there, version="2", format="csv")
    assert answer.status == 202, answer
    return ended(admin_there, answer.body["id"])


def ended(client: Client, job_id: str, seconds: float = 60) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        body = dict(client.get(f"/api/v1/jobs/{job_id}").body)
        if body["status"] not in ("queued", "running"):
            return body
        time.sleep(0.1)
    raise AssertionError(f"job {job_id} did not end: {body}")


def _all_there(own: Portal, client: Client, slug: str, job: dict[str, Any]) -> None:
    assert client.infer(slug, [[1, 2, 3, 4]], version=1).body["outputs"][0]["data"] == [11, 12, 13, 14]
    assert client.infer(slug, [[1, 2, 3, 4]]).status == 200
    endpoint = client.get(f"/api/v1/endpoints/{slug}").body
    assert [share["weight_bp"] for share in endpoint["live_split"]["shares"]] == [8000, 2000]
    assert [version["status"] for version in client.get(f"/api/v1/models/{slug}/versions").body["results"]] == [
        "ready"
    ] * 2
    assert client.get(f"/api/v1/jobs/{job['id']}").body == job
    assert client.get(f"/api/v1/jobs/{job['id']}/output").body.count(b"\n") == 501
    assert client.get("/api/v1/audit?action=endpoint.split_changed").body["count"] == 1
    assert "all in order" in own.manage("verify_audit").stdout


def test_readme__its_curl_line__predicts(own: Portal, admin_there: Client) -> None:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("curl ")]
    assert lines
    for line in lines:
        command = line.replace("http://127.0.0.1:8000", own.url)
        environment = {**own.environment, "TOKEN": str(admin_there.token)}
        done = subprocess.run(
            ["sh", "-c", f"{command} --silent --show-error --fail"], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        outputs = {output["name"]: output["data"] for output in json.loads(done.stdout)["outputs"]}
        assert outputs["label"] == [0]  # that flower is a setosa


def test_ctrl_c_and_start_again__all_there(own: Portal, admin_there: Client, there: str, job: dict[str, Any]) -> None:
    assert job["status"] == "succeeded"
    before = own.query(FACTS)
    assert own.stop() == 0
    own.start()
    assert own.query(FACTS) == before
    _all_there(own, admin_there, there, job)


def test_kill_9_of_everything_and_start_again__all_there(
    own: Portal, admin_there: Client, there: str, job: dict[str, Any]
) -> None:
    """Also what was answered a moment before: an upload and its version."""
    assert admin_there.post("/api/v1/models", {"name": "moment"}).status == 201
    assert admin_there.upload("moment", graphs.add_constant(30.0)).status == 202
    before = own.query(FACTS)
    own.kill()
    own.start()
    assert own.query(FACTS)[0][2:] == before[0][2:]
    _all_there(own, admin_there, there, job)
    assert admin_there.version("moment", 1)["status"] == "ready"


def test_second_up__same_folder__refused_and_says_where_the_first_runs(own: Portal) -> None:
    done = own.manage("up", "--port", "0", check=False)
    assert done.returncode != 0
    assert own.url in done.stderr
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def stopped(members: list[psutil.Process]) -> Iterator[None]:
    """Frozen with SIGSTOP: it neither answers nor refuses."""
    for member in members:
        member.suspend()
    try:
        yield
    finally:
        for member in members:
            member.resume()


def test_postgresql_killed__predictions_go_on(own: Portal, admin_there: Client, there: str) -> None:
    assert admin_there.infer(there, [[0, 0, 0, 0]]).status == 200
    with Load(admin_there, there, n_threads=2) as load:
        time.sleep(0.3)
        (postmaster, *_) = own.children("postgres", "-D")
        for member in [postmaster, *postmaster.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)
        own.wait_until(lambda: _ready_again(admin_there), 60, "READY after PostgreSQL came back")
        time.sleep(0.5)
    assert load.failed() == []
    assert len(load.seen) > 100
    assert admin_there.promote(there, 1).body["converged"]["processes"] == 2
    admin_there.split(there, stable=(1, 8000), canary=(2, 2000))


def test_postgresql_frozen_five_seconds__predictions_go_on(own: Portal, admin_there: Client, there: str) -> None:
    assert admin_there.infer(there, [[0, 0, 0, 0]]).status == 200
    (postmaster, *_) = own.children("postgres", "-D")
    with Load(admin_there, there, n_threads=2) as load, stopped([postmaster, *postmaster.children(recursive=True)]):
        time.sleep(5)
    assert load.failed() == []
    assert len(load.seen) > 5
    own.wait_until(lambda: _ready_again(admin_there), 30, "READY again")


def _ready_again(client: Client) -> bool:
    return client.get("/readyz").status == 200


def test_valkey_killed__predictions_promote_and_jobs_go_on(own: Portal, admin_there: Client, there: str) -> None:
    with Load(admin_there, there, n_threads=2) as load:
        (valkey, *_) = own.children("valkey-server") or own.children("redis-server")
        os.kill(valkey.pid, signal.SIGKILL)
        promoted = admin_there.post(f"/api/v1/endpoints/{there}/promote", {"version": 2, "reason": "no broker"})
        submitted = admin_there.send_file("/api/v1/jobs", ROWS, "rows.csv", model=there, version="1", format="csv")
        assert promoted.status == 200, promoted
        assert submitted.status == 202, submitted
        done = ended(admin_there, submitted.body["id"])
    assert (done["status"], done["n_done"]) == ("succeeded", 500)
    assert load.failed() == []
