from __future__ import annotations

from django.urls import path

from inference.pages import endpoints, jobs, switching, tryout

urlpatterns = [
    path("endpoints", endpoints.endpoints, name="endpoints"),
    path("endpoints/<str:slug>", endpoints.endpoint, name="endpoint"),
    path("endpoints/<str:slug>/promote", switching.promote, name="promote"),
    path("endpoints/<str:slug>/split", switching.split, name="split"),
    path("endpoints/<str:slug>/rollback", switching.roll_back, name="rollback"),
    path("endpoints/<str:slug>/delete", endpoints.delete, name="endpoint-delete"),
    path("models/<str:name>/versions/<int:number>/try", tryout.try_version, name="try"),
    path("jobs", jobs.jobs, name="jobs"),
    path("jobs/<uuid:job_id>", jobs.job, name="job"),
    path("jobs/<uuid:job_id>/progress", jobs.progress, name="job-progress"),
    path("jobs/<uuid:job_id>/cancel", jobs.cancel, name="job-cancel"),
]
