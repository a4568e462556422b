"""Whatever is lost, a job goes on."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from inference.batch.claims import claim_chunk, is_drained
from inference.batch.finish import finish_job
from inference.batch.parts import PartFolder, parts_root
from inference.batch.plan import plan_job
from inference.batch.reconcile import reconcile
from inference.batch.work import work_on
from inference.models import BatchJob
from registry.services.artifacts import job_store
from tests.inference.batch.conftest import answers, later, output, table

pytestmark = pytest.mark.django_db(transaction=True)


def test_reconcile__job_whose_message_was_lost__rung_for(submit, rings):
    submit(table(3))
    rings.clear()
    reconcile()
    assert rings == []
    later()
    reconcile()
    assert rings == ["plan_job"]


def test_reconcile__chunks_that_wait__rung_for_unless_somebody_is_at_it(planned, rings):
    later()
    rings.clear()
    reconcile()
    assert set(rings) == {"run_chunk"}
    rings.clear()
    claim_chunk(planned.pk)
    reconcile()
    assert rings == []


def test_reconcile__chunks_done_but_nobody_finished__rung_for(planned, rings):
    work_on(planned.pk)
    later()
    rings.clear()
    reconcile()
    assert rings == ["finish_job"]


def test_reconcile__planner_dead__job_is_free_again(submit, rings):
    job = submit(table(3))
    later()
    BatchJob.objects.update(status="running", token=1, lease_expires_at=timezone.now() + timedelta(seconds=30))
    path = PartFolder(job.pk).job_claim_file(1)
    path.parent.mkdir(parents=True)
    path.touch()
    rings.clear()
    reconcile()
    assert rings == ["plan_job"]
    plan_job(job.pk)
    job.refresh_from_db()
    assert job.n_rows == 3


def test_reconcile__file_that_kills_its_planner__failed_in_the_end(submit, rings):
    job = submit(table(3))
    later()
    BatchJob.objects.update(status="running", token=6)
    reconcile()
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", "not_readable")


def test_reconcile__another_one_at_work__returns_at_once(submit, rings):
    submit(table(3))
    later()
    rings.clear()
    held, release = threading.Event(), threading.Event()

    def other() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [0x736C6970_6A6F6273])
            held.set()
            release.wait()
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    reconcile()
    assert rings == []
    release.set()
    thread.join()


def test_reconcile__parts_of_jobs_that_ended__swept(planned, rings):
    folder = PartFolder(planned.pk).path
    work_on(planned.pk)
    assert folder.exists()
    BatchJob.objects.update(status="failed")
    (parts_root() / "not-a-job").mkdir()
    reconcile()
    assert not folder.exists()
    assert (parts_root() / "not-a-job").exists()


def test_finish__part_damaged__computed_again_and_counted_once(planned):
    work_on(planned.pk)
    part = next(PartFolder(planned.pk).path.glob("000000000000010-*.out"))
    part.write_bytes(b"1,2,3,4\n")
    finish_job(planned.pk)
    planned.refresh_from_db()
    assert (planned.status, planned.n_done) == ("running", 20)
    assert not is_drained(planned.pk)
    work_on(planned.pk)
    finish_job(planned.pk)
    planned.refresh_from_db()
    assert (planned.status, planned.n_done) == ("succeeded", 30)
    assert output(planned) == answers(30)


def test_compute__trouble_that_is_not_the_chunks_fault__tried_again_later(planned, home):
    input_path = job_store().path(planned.input_sha256)
    input_path.rename(home / "away")
    work_on(planned.pk)
    assert set(planned.chunks.values_list("status", flat=True)) == {"queued"}
    (home / "away").rename(input_path)
    planned.chunks.update(lease_expires_at=None)
    work_on(planned.pk)
    finish_job(planned.pk)
    planned.refresh_from_db()
    assert planned.status == "succeeded"


def test_compute__trouble_without_end__job_fails_with_a_sentence(planned):
    job_store().delete(planned.input_sha256)
    planned.chunks.update(tries=9)
    work_on(planned.pk)
    planned.refresh_from_db()
    assert (planned.status, planned.error_code) == ("failed", "artifact_missing")
