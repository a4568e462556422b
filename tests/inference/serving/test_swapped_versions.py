"""Digest, files and seal of two versions exchanged in the database: each seal is good, but another version's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from inference.api.served import why_not_ready
from inference.batch.plan import plan_job
from inference.batch.services import submit_job
from inference.batch.submission import Wish
from inference.batch.work import claim_chunk, compute_chunk
from inference.endpoints.switching import promote
from inference.golden.running import run_golden
from inference.models import BatchChunk, BatchJob, Endpoint, RoutingState
from inference.routing.convergence import bump_sequence
from inference.routing.snapshot import version_ref
from inference.serving.follower import Follower
from inference.serving.sessions import load_version, session_pool
from inference.serving.shadow_session import ShadowSessions
from portal.lib.errors import Unavailable
from portal.lib.heartbeat import Heartbeat
from registry.access.principal import SYSTEM
from registry.models import ModelVersion
from registry.services import versions
from registry.services.archives import artifact_of, subject_of
from registry.services.artifacts import require_seal
from registry.services.downloads import download_of
from registry.services.sealing import seal
from tests import factories, graphs
from tests.inference.serving.watched import send

pytestmark = pytest.mark.django_db
Follow = Callable[[], Follower]
CODE = "artifact_tampered"


@pytest.fixture
def endpoint() -> Endpoint:
    """Version 1 is live and answers x + 10; version 2 answers x + 20. Both are sealed and both are loaded."""
    made = factories.make_endpoint("shop")
    for number in (1, 2):
        version = factories.version_of(made, number)
        seal_row(version)
        load_version(version_ref(version))
    return made


def seal_row(version: ModelVersion) -> None:
    version.seal = seal(subject_of(version), version.sha256)
    version.save(update_fields=["seal"])


def swap(one: ModelVersion, other: ModelVersion) -> None:
    """As somebody would who can write to the database."""
    mine, theirs = ({"sha256": row.sha256, "files": row.files, "seal": row.seal} for row in (one, other))
    ModelVersion.objects.filter(pk=one.pk).update(sha256="0" * 64)
    ModelVersion.objects.filter(pk=other.pk).update(**mine)
    ModelVersion.objects.filter(pk=one.pk).update(**theirs)


def swapped(endpoint: Endpoint) -> ModelVersion:
    """Version 1, which now has what was version 2's."""
    swap(factories.version_of(endpoint, 1), factories.version_of(endpoint, 2))
    return factories.version_of(endpoint, 1)


def refused(act: Callable[[], Any]) -> bool:
    with pytest.raises(Unavailable) as caught:
        act()
    return caught.value.code == CODE


def test_load__swapped_with_another_version__tampered_though_its_digest_is_loaded(endpoint: Endpoint) -> None:
    version = swapped(endpoint)
    assert session_pool().get(version.sha256) is not None
    assert refused(lambda: load_version(version_ref(version)))


def test_load__swapped_with_another_model_s_version_of_the_same_number__tampered(endpoint: Endpoint) -> None:
    mine, theirs = factories.version_of(endpoint, 1), factories.make_version(factories.make_model("other"), 7.0)
    seal_row(theirs)
    swap(mine, theirs)
    for version in (mine, theirs):
        version.refresh_from_db()
        assert refused(lambda version=version: load_version(version_ref(version)))


def test_load__renamed_model__still_its_own(endpoint: Endpoint) -> None:
    version = factories.version_of(endpoint, 1)
    type(version.model).objects.filter(pk=version.model_id).update(name="renamed")
    version.refresh_from_db()
    assert load_version(version_ref(version)) is not None


def test_predict__swapped_while_both_are_loaded__503_live_and_pinned(endpoint: Endpoint, serving: Follow) -> None:
    token = factories.token_for(factories.make_user("alice", "operator"), "predict")[1]
    serving()
    assert send(token, endpoint).body["outputs"][0]["data"] == [11.0, 12.0, 13.0, 14.0]
    swapped(endpoint)
    Endpoint.objects.filter(pk=endpoint.pk).update(changed_sequence=bump_sequence())
    known = serving()
    assert known.sequence == RoutingState.objects.get(pk=1).sequence
    assert set(known.failures) == {str(factories.version_of(endpoint, 1).pk)}
    route = known.routes[endpoint.slug]
    assert why_not_ready(route, route.targets["stable"].version) == "not what was registered"
    for path in ("", "/versions/1", "/versions/2"):
        reply = send(token, endpoint, path=f"/v2/models/%s{path}/infer")
        assert reply.status == 503
        assert "not those that were registered" in reply.body["error"]


def test_shadow__swapped__tampered_though_its_digest_is_loaded(endpoint: Endpoint) -> None:
    sessions, honest = ShadowSessions(), factories.version_of(endpoint, 2)
    assert sessions.get(version_ref(honest)) is None
    try:
        assert refused(lambda: sessions.get(version_ref(swapped(endpoint))))
    finally:
        sessions.keep(())


def test_try__swapped__503(endpoint: Endpoint, client: Client) -> None:
    swapped(endpoint)
    client.force_login(factories.make_user("vera", "viewer"))
    answer = client.post("/models/shop/versions/1/try", {f"0.{index}": index for index in range(4)})
    assert answer.status_code == 503
    assert "not those that were registered" in answer.content.decode()


def test_job__swapped__its_chunk_is_not_computed_and_says_why(endpoint: Endpoint) -> None:
    data = b"x_0,x_1,x_2,x_3\n1,2,3,4\n"
    job = submit_job(SYSTEM, Wish(model="shop", version=1, file_name="rows.csv"), [data]).job
    plan_job(job.pk)
    swapped(endpoint)
    job = BatchJob.objects.select_related("version").get(pk=job.pk)
    chunk = claim_chunk(job.pk)
    assert chunk is not None
    BatchChunk.objects.filter(pk=chunk.pk).update(tries=10)
    chunk.tries = 10
    with Heartbeat(60) as heartbeat:
        assert not compute_chunk(job, chunk, heartbeat)
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", CODE)


def test_download__swapped__refused_before_the_first_byte(endpoint: Endpoint, client: Client) -> None:
    version = swapped(endpoint)
    assert refused(lambda: download_of(version))
    client.force_login(factories.make_user("vera", "viewer"))
    answer = client.get("/api/v1/models/shop/versions/1/download")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, CODE)


def test_golden_run__swapped__every_request_failed_with_the_code(endpoint: Endpoint) -> None:
    factories.make_golden(endpoint.model, name="ones")
    run = run_golden(swapped(endpoint).pk, "asked")
    assert run is not None
    assert [(row["passed"], row["code"]) for row in run.results] == [(False, CODE)]


def test_copy__of_a_swapped_version__refused_and_not_sealed_anew(endpoint: Endpoint) -> None:
    version, target = swapped(endpoint), factories.make_model("copy")
    assert refused(lambda: versions.register_version(SYSTEM, target, artifact_of(version), version.size))
    assert ModelVersion.objects.filter(model=target).count() == 0


def test_copy__of_a_good_version_and_same_bytes_again__seals_of_their_own(endpoint: Endpoint) -> None:
    version, target = factories.version_of(endpoint, 1), factories.make_model("copy")
    copied = versions.register_version(SYSTEM, target, artifact_of(version), version.size)
    again = versions.upload_version(SYSTEM, factories.make_model("again"), [graphs.add_constant(10.0)])
    assert copied.sha256 == again.sha256 == version.sha256
    assert [row.seal["subject"]["model"] for row in (version, copied, again)] == [
        endpoint.model_id,
        target.pk,
        again.model_id,
    ]
    assert len({row.seal["signature"] for row in (version, copied, again)}) == 3
    for row in (copied, again):
        ModelVersion.objects.filter(pk=row.pk).update(seal=version.seal)
        row.refresh_from_db()
        assert refused(lambda row=row: require_seal(artifact_of(row)))


def test_promote__swapped__not_loaded_and_the_endpoint_stays(endpoint: Endpoint, serving: Follow) -> None:
    swapped(endpoint)
    version = factories.version_of(endpoint, 2)
    assert refused(lambda: load_version(version_ref(version)))
    promote(SYSTEM, endpoint, version, reason="x")
    assert serving().failures.get(str(version.pk))
