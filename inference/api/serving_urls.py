"""The routes of what is loaded and what is locked away, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from inference.api import serving

urlpatterns = [
    path("serving/sessions", serving.Sessions.as_view(), name="api-sessions"),
    path("quarantines", serving.QuarantineList.as_view(), name="api-quarantines"),
    path("models/<str:name>/versions/<int:number>/release", serving.Release.as_view(), name="api-version-release"),
]
