"""This app's part of `/api/v1/`, and `/v2`. Paths have no trailing slash, but V2 clients may send `/v2/`."""

from __future__ import annotations

from django.urls import path, re_path

from inference.api import endpoints, v2
from inference.api.jobs_urls import urlpatterns as jobs_urls

management = [
    path("endpoints", endpoints.EndpointList.as_view(), name="api-endpoints"),
    path("endpoints/<str:slug>", endpoints.EndpointDetail.as_view(), name="api-endpoint"),
    path("endpoints/<str:slug>/split", endpoints.Split.as_view(), name="api-split"),
    path("endpoints/<str:slug>/splits", endpoints.SplitHistory.as_view(), name="api-splits"),
    path("endpoints/<str:slug>/promote", endpoints.Promote.as_view(), name="api-promote"),
    path("endpoints/<str:slug>/rollback", endpoints.Rollback.as_view(), name="api-rollback"),
    *jobs_urls,
]

_MODEL = "models/<str:slug>"
_PINNED = "models/<str:slug>/versions/<str:version>"

protocol = [
    re_path(r"^v2/?$", v2.ServerMetadata.as_view(), name="v2"),
    path("v2/health/live", v2.ServerLive.as_view(), name="v2-live"),
    path("v2/health/ready", v2.ServerReady.as_view(), name="v2-ready"),
    path(f"v2/{_MODEL}", v2.EndpointMetadata.as_view(), name="v2-model"),
    path(f"v2/{_PINNED}", v2.EndpointMetadata.as_view(), name="v2-model-version"),
    path(f"v2/{_MODEL}/ready", v2.EndpointReady.as_view(), name="v2-model-ready"),
    path(f"v2/{_PINNED}/ready", v2.EndpointReady.as_view(), name="v2-model-version-ready"),
    path(f"v2/{_MODEL}/infer", v2.Infer.as_view(), name="v2-infer"),
    path(f"v2/{_PINNED}/infer", v2.Infer.as_view(), name="v2-infer-version"),
]
