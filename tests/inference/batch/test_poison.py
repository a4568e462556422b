"""Rows that kill whoever computes them, in processes that really die."""

from __future__ import annotations

import faulthandler
import os
import signal

import pytest
from django.db import connection

from inference.batch import results
from inference.batch.claims import requeue_lost_chunks
from inference.batch.finish import finish_job
from inference.batch.plan import plan_job
from inference.batch.work import work_on
from inference.models import BatchJob
from tests import graphs
from tests.inference.batch.conftest import output
from tests.inference.batch.tables import signature

pytestmark = pytest.mark.django_db(transaction=True)
SMALLEST = -(2**63)
ENOUGH_WORKERS = 12


def work_in_a_child(job: BatchJob) -> int:
    """The exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        # The parent's connection must not be used from here; a new one is opened.
        connection.connection = None
        work_on(job.pk)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_work__rows_that_kill_the_worker__listed_and_the_others_delivered(version_of, submit):
    version_of(
        # No other test may have left a process for it, of which a forked child could not know.
        graphs.division("poison"),
        signature({"a": ("INT64", (-1,)), "b": ("INT64", (-1,))}, {"quotient": ("INT64", (-1,))}),
        "division",
    )
    rows = [(index * 2, 2) for index in range(3000)]
    rows[7] = rows[1500] = (SMALLEST, -1)
    job = submit(b"a,b\n" + b"".join(b"%d,%d\n" % row for row in rows), model="division")
    plan_job(job.pk)
    deaths = []
    for _ in range(ENOUGH_WORKERS):
        status = work_in_a_child(job)
        requeue_lost_chunks()
        if status == 0:
            break
        deaths.append(status)
    finish_job(job.pk)
    job.refresh_from_db()
    assert set(deaths) == {-signal.SIGFPE}
    assert (job.status, job.n_done, job.n_failed) == ("succeeded_with_errors", 2998, 2)
    assert [(bad["row"], bad["code"]) for bad in results.failed_rows(job)] == [(8, "crashed"), (1501, "crashed")]
    lines = output(job).splitlines()
    assert len(lines) == 3001
    assert lines[1:8] == [b"%d," % index for index in range(7)]
    assert lines[3000] == b"2999,"


def test_work__worker_killed_in_the_middle__same_bytes_as_undisturbed(submit, run_to_end, monkeypatch):
    table = b"x_0,x_1,x_2,x_3\n" + b"".join(b"%d.5,1,2,3\n" % index for index in range(5000))
    undisturbed = run_to_end(submit(table))
    job = submit(table)
    plan_job(job.pk)
    with monkeypatch.context() as patch:
        patch.setattr("inference.batch.work.deliver", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        assert work_in_a_child(job) == -signal.SIGKILL
    assert requeue_lost_chunks() == 1
    work_on(job.pk)
    finish_job(job.pk)
    job.refresh_from_db()
    assert (job.n_done, job.output_sha256) == (5000, undisturbed.output_sha256)
