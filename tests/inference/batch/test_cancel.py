"""Cancelling."""

from __future__ import annotations

import pytest

from inference.batch import results
from inference.batch.claims import claim_chunk
from inference.batch.finish import finish_job
from inference.batch.parts import PartFolder
from inference.batch.reconcile import reconcile
from inference.batch.services import cancel_job
from inference.batch.work import compute_chunk
from inference.selectors import jobs as selectors
from portal.lib.errors import Conflict, NotAllowed
from portal.lib.heartbeat import Heartbeat
from registry.models import AuditEvent
from tests.inference.batch.conftest import table

pytestmark = pytest.mark.django_db(transaction=True)


def test_cancel__running__no_further_chunk_and_no_output(alice, planned):
    chunk = claim_chunk(planned.pk)
    cancel_job(alice, planned)
    assert not compute_chunk(planned, chunk, Heartbeat(10))
    assert claim_chunk(planned.pk) is None
    finish_job(planned.pk)
    reconcile()
    planned.refresh_from_db()
    assert (planned.status, planned.n_done) == ("cancelled", 0)
    assert not PartFolder(planned.pk).path.exists()
    with pytest.raises(Conflict):
        results.open_output(planned)


def test_cancel__twice__one_event(alice, planned):
    cancel_job(alice, planned)
    cancel_job(alice, planned)
    assert AuditEvent.objects.filter(action="job.cancelled").count() == 1


def test_cancel__ended_job__conflict(alice, submit, run_to_end):
    job = run_to_end(submit(table(3)))
    with pytest.raises(Conflict) as caught:
        cancel_job(alice, job)
    assert caught.value.code == "job_ended"


def test_cancel__viewer__may_not(planned, principal_for):
    with pytest.raises(NotAllowed):
        cancel_job(principal_for("viewer", "viewer"), planned)
    planned.refresh_from_db()
    assert planned.status == "running"


def test_strip__many_chunks__joined_to_cells(planned):
    compute_chunk(planned, claim_chunk(planned.pk), Heartbeat(10))
    assert [(cell.first_row, cell.n_rows, cell.state) for cell in selectors.strip_of(planned)] == [
        (0, 10, "done"),
        (10, 10, "queued"),
        (20, 10, "queued"),
    ]
    assert [(cell.first_row, cell.n_rows, cell.state) for cell in selectors.strip_of(planned, 2)] == [
        (0, 20, "queued"),
        (20, 10, "queued"),
    ]
    planned.refresh_from_db()
    assert selectors.progress_of(planned) == pytest.approx(1 / 3)
    assert selectors.pace_of(planned).seconds_left > 0
