"""Submitting and cancelling jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.batch.doorbell import ring_plan
from inference.batch.submission import Wish, check_key, format_of, target_of
from inference.models import BatchJob, Endpoint, JobStatus
from inference.models.batch import ACTIVE
from portal.lib.errors import Conflict
from portal.lib.texts import display_name
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion
from registry.services import audit
from registry.services.artifacts import job_store
from registry.services.receiving import take
from registry.services.usage import hold_ready


class Submitted(NamedTuple):
    job: BatchJob
    created: bool


def submit_job(principal: Principal, wish: Wish, upload: UploadedFile | Iterable[bytes]) -> Submitted:
    """Streams the file to the job store and queues the job. The same Idempotency-Key gives the same job.

    Raises InvalidInput, NotFound, NotAllowed, Conflict (`nothing_promoted`, `version_not_ready`,
    `idempotency_key_reused`) or TooLarge.
    """
    check_key(wish.idempotency_key)
    format_ = format_of(wish)
    earlier = _earlier(principal, wish.idempotency_key)
    version, endpoint = (earlier.version, earlier.endpoint) if earlier else target_of(principal, wish)
    blob = take(job_store(), upload)
    digest = wish.digest(format_, blob.sha256)
    if earlier is not None:
        return _same(earlier, digest)
    job = BatchJob(
        project_id=version.model.project_id,
        endpoint=endpoint,
        version=version,
        format=format_,
        file_name=display_name(wish.file_name),
        input_sha256=blob.sha256,
        input_size=blob.size,
        idempotency_key=wish.idempotency_key,
        request_digest=digest,
        created_by_id=principal.user_id,
    )
    return _queue(principal, job, version, endpoint)


def cancel_job(principal: Principal, job: BatchJob) -> BatchJob:
    """Workers stop at their next block. Cancelling twice is as once; a job that ended otherwise is a Conflict."""
    policy.require(principal, "job.cancel", job.project_id)
    with transaction.atomic():
        cancelled = BatchJob.objects.filter(pk=job.pk, status__in=ACTIVE).update(
            status=JobStatus.CANCELLED, token=F("token") + 1, lease_expires_at=None, finished_at=timezone.now()
        )
        job.refresh_from_db()
        if cancelled:
            audit.record(principal, "job.cancelled", job, project_id=job.project_id)
    if job.status != JobStatus.CANCELLED:
        sentence = _("This job has ended already: there is nothing to cancel.")
        raise Conflict(sentence, code="job_ended", details={"status": job.status})
    return job


def _queue(principal: Principal, job: BatchJob, version: ModelVersion, endpoint: Endpoint | None) -> Submitted:
    try:
        with transaction.atomic():
            hold_ready(version)
            job.save(force_insert=True)
            audit.record(
                principal,
                "job.submitted",
                job,
                project_id=job.project_id,
                details={
                    "model": version.model.name,
                    "version": version.number,
                    "endpoint": endpoint.slug if endpoint else None,
                    "input_sha256": job.input_sha256,
                },
            )
            transaction.on_commit(lambda: ring_plan(job.pk))
    except IntegrityError:
        earlier = _earlier(principal, job.idempotency_key)
        if earlier is None:
            raise
        return _same(earlier, job.request_digest)
    return Submitted(job, created=True)


def _earlier(principal: Principal, key: str) -> BatchJob | None:
    if not key or principal.user_id is None:
        return None
    mine = BatchJob.objects.filter(created_by_id=principal.user_id, idempotency_key=key)
    return mine.select_related("version__model", "endpoint").first()


def _same(earlier: BatchJob, digest: str) -> Submitted:
    if earlier.request_digest != digest:
        raise Conflict(
            _("This Idempotency-Key belongs to another request: use a new key for a new job."),
            code="idempotency_key_reused",
            details={"job": str(earlier.pk)},
        )
    return Submitted(earlier, created=False)
