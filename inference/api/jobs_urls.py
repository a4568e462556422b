"""The routes of batch jobs, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from inference.api import jobs

urlpatterns = [
    path("jobs", jobs.JobList.as_view(), name="api-jobs"),
    path("jobs/<uuid:job_id>", jobs.JobDetail.as_view(), name="api-job"),
    path("jobs/<uuid:job_id>/cancel", jobs.JobCancel.as_view(), name="api-job-cancel"),
    path("jobs/<uuid:job_id>/output", jobs.JobOutput.as_view(), name="api-job-output"),
    path("jobs/<uuid:job_id>/errors", jobs.JobErrors.as_view(), name="api-job-errors"),
]
