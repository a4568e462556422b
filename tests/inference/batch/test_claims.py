"""Leases and fencing: who may compute a chunk, and who comes too late."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from inference.batch import claims
from inference.batch.claims import Delivery, claim_chunk, deliver, requeue_lost_chunks
from inference.batch.finish import finish_job
from inference.batch.parts import ClaimFile, PartFolder
from inference.batch.plan import plan_job
from inference.batch.work import compute_chunk, work_on
from portal.lib.heartbeat import Heartbeat
from registry.models import AuditEvent
from tests.inference.batch.conftest import answers, later, output, table

pytestmark = pytest.mark.django_db(transaction=True)


def done(n_rows: int = 10) -> Delivery:
    return Delivery(n_rows, 0, "0" * 64, "")


def test_claim__two_claimers__different_chunks(planned):
    first, second = claim_chunk(planned.pk), claim_chunk(planned.pk)
    assert (first.first_row, second.first_row) == (0, 10)
    assert (first.token, first.tries) == (1, 1)


def test_claim__many_threads__each_chunk_once(planned):
    taken, barrier = [], threading.Barrier(6)

    def one() -> None:
        barrier.wait()
        chunk = claim_chunk(planned.pk)
        taken.append(chunk.first_row if chunk else None)
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row for row in taken if row is not None) == [0, 10, 20]


def test_deliver__lost_lease__late_worker_changes_nothing(planned):
    slow = claim_chunk(planned.pk)
    later()
    assert requeue_lost_chunks() == 1
    fast = claim_chunk(planned.pk)
    assert (fast.pk, fast.token) == (slow.pk, 2)
    assert not claims.renew_chunk(slow)
    assert not deliver(slow, done())
    planned.refresh_from_db()
    assert planned.n_done == 0
    assert deliver(fast, done())
    assert not deliver(fast, done())
    planned.refresh_from_db()
    assert planned.n_done == 10


def test_compute__lost_lease__loser_deletes_its_file(planned):
    slow = claim_chunk(planned.pk)
    later()
    requeue_lost_chunks()
    fast = claim_chunk(planned.pk)
    assert compute_chunk(planned, fast, Heartbeat(10))
    assert not compute_chunk(planned, slow, Heartbeat(10))
    assert [path.name for path in PartFolder(planned.pk).path.iterdir()] == ["000000000000000-2.out"]


def test_requeue__worker_alive_within_its_lease__left_alone(planned):
    chunk = claim_chunk(planned.pk)
    claim = ClaimFile(PartFolder(planned.pk).claim_file(chunk.first_row, chunk.token))
    assert requeue_lost_chunks() == 0
    claim.close()


def test_requeue__worker_gone_within_its_lease__chunk_and_rows_in_hand_noted(planned):
    chunk = claim_chunk(planned.pk)
    path = PartFolder(planned.pk).claim_file(chunk.first_row, chunk.token)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((3).to_bytes(8, "little") + (7).to_bytes(8, "little"))
    assert requeue_lost_chunks() == 1
    chunk.refresh_from_db()
    assert (chunk.status, chunk.deaths) == ("queued", [[3, 7]])
    assert not path.exists()


def test_messages__lost_doubled_and_early__one_output(submit, small_chunks):
    job = submit(table(30))
    work_on(job.pk)
    finish_job(job.pk)
    for _ in range(2):
        plan_job(job.pk)
    finish_job(job.pk)
    for _ in range(2):
        work_on(job.pk)
    for _ in range(2):
        finish_job(job.pk)
    plan_job(job.pk)
    work_on(job.pk)
    job.refresh_from_db()
    assert (job.status, job.n_done) == ("succeeded", 30)
    assert output(job) == answers(30)
    assert AuditEvent.objects.filter(action="job.finished").count() == 1
