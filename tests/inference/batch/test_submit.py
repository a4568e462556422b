"""What is accepted, what is refused, and that the same key is the same job."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from inference.batch.services import submit_job
from inference.batch.submission import Wish
from inference.models import BatchJob, Endpoint, TrafficShare, TrafficSplit, Variant
from inference.selectors import jobs as selectors
from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound, TooLarge
from registry.models import AuditEvent
from tests import graphs
from tests.inference.batch.conftest import PLUS_ONE, table

pytestmark = pytest.mark.django_db(transaction=True)


def test_submit__endpoint__largest_share_is_pinned(alice, version, version_of, submit):
    second = version_of(graphs.add_constant(2.0), PLUS_ONE, number=2)
    endpoint = Endpoint.objects.create(project=version.model.project, model=version.model, slug="ep")
    split = TrafficSplit.objects.create(endpoint=endpoint, revision=1, table=[])
    for key, item, weight in (("stable", version, 2000), ("canary", second, 8000)):
        variant = Variant.objects.create(endpoint=endpoint, key=key, version=item)
        TrafficShare.objects.create(split=split, variant=variant, weight_bp=weight)
    with pytest.raises(Conflict) as caught:
        submit(table(1), model="", version=None, endpoint="ep")
    assert caught.value.code == "nothing_promoted"
    endpoint.live_split = split
    endpoint.save()
    job = submit(table(1), model="", version=None, endpoint="ep")
    assert (job.version, job.endpoint) == (second, endpoint)


def test_submit__same_key_same_request__same_job(submit):
    first = submit(table(3), idempotency_key="k")
    assert submit(table(3), idempotency_key="k") == first
    assert BatchJob.objects.count() == 1
    assert AuditEvent.objects.filter(action="job.submitted").count() == 1


def test_submit__same_key_other_request__conflict(submit):
    submit(table(3), idempotency_key="k")
    with pytest.raises(Conflict) as caught:
        submit(table(4), idempotency_key="k")
    assert caught.value.code == "idempotency_key_reused"


def test_submit__same_key_of_two_people__two_jobs(submit, principal_for):
    submit(table(3), idempotency_key="k")
    wish = Wish("rows.csv", model="plus", version=1, idempotency_key="k")
    assert submit_job(principal_for("bob"), wish, [table(3)]).created


def test_submit__same_key_at_the_same_moment__one_job(alice, version):
    barrier, found = threading.Barrier(4), []

    def one() -> None:
        def upload():
            barrier.wait()
            yield table(3)

        wish = Wish("rows.csv", model="plus", version=1, idempotency_key="k")
        found.append(submit_job(alice, wish, upload()).job.pk)
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert BatchJob.objects.count() == 1


@pytest.mark.parametrize(
    ("wish", "error", "code"),
    [
        ({"model": ""}, InvalidInput, "no_target"),
        ({"version": None}, InvalidInput, "no_target"),
        ({"version": 9}, NotFound, "not_found"),
        ({"endpoint": "nope"}, InvalidInput, "no_target"),
        ({"endpoint": "nope", "model": ""}, NotFound, "not_found"),
        ({"file_name": "rows.xlsx"}, InvalidInput, "unknown_format"),
        ({"format": "parquet"}, InvalidInput, "unknown_format"),
        ({"idempotency_key": "k" * 129}, InvalidInput, "invalid_idempotency_key"),
    ],
)
def test_submit__wrong_wish__refused_and_no_job(submit, wish, error, code):
    with pytest.raises(error) as caught:
        submit(table(1), **wish)
    assert caught.value.code == code
    assert BatchJob.objects.count() == 0


def test_submit__version_that_is_not_ready__conflict(submit, version):
    version.status = "rejected"
    version.save()
    with pytest.raises(Conflict) as caught:
        submit(table(1))
    assert caught.value.code == "version_not_ready"


def test_submit__too_large__refused_and_nothing_left(submit, settings, home):
    settings.PORTAL_MAX_UPLOAD_BYTES = 10
    with pytest.raises(TooLarge):
        submit(table(100))
    assert BatchJob.objects.count() == 0
    assert [path for path in (home / "jobs").rglob("*") if path.is_file()] == []


def test_submit__viewer_and_stranger__may_not(submit, principal_for):
    wish = Wish("rows.csv", model="plus", version=1)
    with pytest.raises(NotAllowed):
        submit_job(principal_for("viewer", "viewer"), wish, [table(1)])
    with pytest.raises(NotFound):
        submit_job(principal_for("charlie", None), wish, [table(1)])
    job = submit(table(1))
    assert selectors.get_job(principal_for("viewer", "viewer"), job.pk) == job
    with pytest.raises(NotFound):
        selectors.get_job(principal_for("charlie", None), job.pk)
    assert BatchJob.objects.count() == 1
