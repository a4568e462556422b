"""Batch jobs: the list with its form, one job with its progress."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from inference.batch import services
from inference.batch.results import failed_rows
from inference.batch.submission import Wish
from inference.models import BatchJob, JobStatus
from inference.pages import selectors_pages
from inference.pages.forms import JobForm
from inference.selectors.jobs import get_job, pace_of, progress_of
from portal.lib.errors import PortalError
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.selectors_pages import asked, order_of, page_of
from registry.services.receiving import raise_upload_error

SHOWN_FAILURES = 20


@page(GET="job.view", POST="job.submit")
def jobs(request: PageRequest) -> HttpResponse:
    posted = request.method == "POST"
    targets = selectors_pages.target_choices(request.principal)
    initial = {"target": request.GET.get("target", "")}
    form = JobForm(
        request.POST if posted else None, request.FILES if posted else None, targets=targets, initial=initial
    )
    status = 200
    if posted:
        status = 400
        try:
            raise_upload_error(request)
            if form.is_valid():
                job = services.submit_job(request.principal, _wish(form.cleaned_data), form.cleaned_data["file"]).job
                return go(request, "job", job.pk)
        except PortalError as error:
            status = blame(form, error)
    return show(
        request,
        "inference/jobs.html",
        {"form": form, "has_targets": any(group[1] for group in targets), **_list(request)},
        status,
    )


def _wish(data: dict[str, Any]) -> Wish:
    """`target` is "endpoint SLUG" or "version NAME NUMBER"; neither names hold spaces."""
    kind, name, *rest = data["target"].split(" ")
    named = {"endpoint": name} if kind == "endpoint" else {"model": name, "version": int(rest[0])}
    return Wish(file_name=data["file"].name or "", format=data["format"], **named)


def _list(request: PageRequest) -> dict[str, Any]:
    sort, order = order_of(request, selectors_pages.JOB_ORDERS, "-created")
    status = request.GET.get("status", "")
    status = status if status in JobStatus.values else ""
    search = asked(request, "q")
    rows = page_of(request, selectors_pages.jobs_list(request.principal, status, search, order))
    return {"page": rows, "sort": sort, "status": status, "search": search, "statuses": JobStatus.choices}


def _context(request: PageRequest, job: BatchJob) -> dict[str, Any]:
    pace = pace_of(job)
    ended = job.finished_at or timezone.now()
    return {
        "job": job,
        "version": job.version,
        "active": job.is_active,
        "progress": progress_of(job),
        "cells": selectors_pages.cells_of(job),
        "rate": pace.rows_per_second,
        "seconds_left": pace.seconds_left,
        "spent": (ended - job.started_at).total_seconds() if job.started_at else None,
        "failures": failed_rows(job, limit=SHOWN_FAILURES) if job.n_failed else [],
        "may_cancel": policy.can(request.principal, "job.cancel", job.project_id),
        "may_download": policy.can(request.principal, "job.download", job.project_id),
    }


@page(GET="job.view")
def job(request: PageRequest, job_id: UUID) -> HttpResponse:
    return show(request, "inference/job.html", _context(request, get_job(request.principal, job_id)))


@page(GET="job.view")
def progress(request: PageRequest, job_id: UUID) -> HttpResponse:
    """What the job's page asks for every second while it runs; once it has ended the whole page is due."""
    found = get_job(request.principal, job_id)
    answer = show(request, "inference/_job_progress.html", _context(request, found))
    if not found.is_active:
        answer["HX-Refresh"] = "true"
    return answer


@page(POST="job.cancel")
def cancel(request: PageRequest, job_id: UUID) -> HttpResponse:
    services.cancel_job(request.principal, get_job(request.principal, job_id))
    return go(request, "job", job_id, said=_("The job is cancelled. What was scored so far is not kept."))
