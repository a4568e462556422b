from __future__ import annotations

from django.urls import path

from inference.pages import endpoint_settings, endpoints, jobs, live, sessions, switching, tryout

urlpatterns = [
    path("endpoints", endpoints.endpoints, name="endpoints"),
    path("endpoints/<str:slug>", endpoints.endpoint, name="endpoint"),
    path("endpoints/<str:slug>/live", live.live, name="endpoint-live"),
    path("endpoints/<str:slug>/promote", switching.promote, name="promote"),
    path("endpoints/<str:slug>/split", switching.split, name="split"),
    path("endpoints/<str:slug>/rollback", switching.roll_back, name="rollback"),
    path("endpoints/<str:slug>/settings", endpoint_settings.settings, name="endpoint-settings"),
    path("endpoints/<str:slug>/service", endpoint_settings.service, name="endpoint-service"),
    path("endpoints/<str:slug>/delete", endpoints.delete, name="endpoint-delete"),
    path("models/<str:name>/versions/<int:number>/try", tryout.try_version, name="try"),
    path("models/<str:name>/versions/<int:number>/release", sessions.release, name="version-release"),
    path("serving", sessions.sessions, name="sessions"),
    path("serving/live", sessions.live, name="sessions-live"),
    path("jobs", jobs.jobs, name="jobs"),
    path("jobs/<uuid:job_id>", jobs.job, name="job"),
    path("jobs/<uuid:job_id>/progress", jobs.progress, name="job-progress"),
    path("jobs/<uuid:job_id>/cancel", jobs.cancel, name="job-cancel"),
]
