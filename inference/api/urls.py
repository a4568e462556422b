"""This app's part of `/api/v1/`, and the prediction protocols. Paths have no trailing slash; `/v2/` is answered too."""

from __future__ import annotations

from django.urls import path, re_path

from inference.api import endpoints, v1, v2, v2_repository
from inference.api.experiments_urls import urlpatterns as experiments_urls
from inference.api.golden_urls import urlpatterns as golden_urls
from inference.api.jobs_urls import urlpatterns as jobs_urls
from inference.api.outcomes_urls import urlpatterns as outcomes_urls
from inference.api.predict import Predict
from inference.api.replays_urls import urlpatterns as replays_urls
from inference.api.rollouts_urls import urlpatterns as rollouts_urls
from inference.api.serving_urls import urlpatterns as serving_urls

management = [
    path("endpoints", endpoints.EndpointList.as_view(), name="api-endpoints"),
    path("endpoints/<str:slug>", endpoints.EndpointDetail.as_view(), name="api-endpoint"),
    path("endpoints/<str:slug>/split", endpoints.Split.as_view(), name="api-split"),
    path("endpoints/<str:slug>/splits", endpoints.SplitHistory.as_view(), name="api-splits"),
    path("endpoints/<str:slug>/promote", endpoints.Promote.as_view(), name="api-promote"),
    path("endpoints/<str:slug>/rollback", endpoints.Rollback.as_view(), name="api-rollback"),
    *experiments_urls,
    *golden_urls,
    *jobs_urls,
    *serving_urls,
    *outcomes_urls,
    *replays_urls,
    *rollouts_urls,
]

_V2 = "v2/models/<str:slug>"
_V2_VERSION = "v2/models/<str:slug>/versions/<str:version>"
_V1 = "v1/models/<str:slug>"

protocol = [
    re_path(r"^v2/?$", v2.ServerMetadata.as_view(), name="v2"),
    path("v2/health/live", v2.ServerLive.as_view(), name="v2-live"),
    path("v2/health/ready", v2.ServerReady.as_view(), name="v2-ready"),
    path("v2/repository/index", v2_repository.RepositoryIndex.as_view(), name="v2-index"),
    path("v2/repository/models/<str:slug>/load", v2_repository.RepositoryLoad.as_view(), name="v2-load"),
    path("v2/repository/models/<str:slug>/unload", v2_repository.RepositoryUnload.as_view(), name="v2-unload"),
    path("v2/models", v2.EndpointNames.as_view(), name="v2-models"),
    path("v2/models/stats", v2_repository.StatisticsOfAll.as_view(), name="v2-statistics"),
    path(_V2, v2.EndpointMetadata.as_view(), name="v2-model"),
    path(f"{_V2}/ready", v2.EndpointReady.as_view(), name="v2-model-ready"),
    path(f"{_V2}/config", v2.EndpointConfiguration.as_view(), name="v2-model-config"),
    path(f"{_V2}/stats", v2_repository.Statistics.as_view(), name="v2-model-statistics"),
    path(f"{_V2}/infer", Predict.as_view(), name="v2-infer"),
    path(_V2_VERSION, v2.EndpointMetadata.as_view(), name="v2-model-version"),
    path(f"{_V2_VERSION}/ready", v2.EndpointReady.as_view(), name="v2-model-version-ready"),
    path(f"{_V2_VERSION}/config", v2.EndpointConfiguration.as_view(), name="v2-model-version-config"),
    path(f"{_V2_VERSION}/stats", v2_repository.Statistics.as_view(), name="v2-model-version-statistics"),
    path(f"{_V2_VERSION}/infer", Predict.as_view(), name="v2-infer-version"),
    path("v1/models", v1.EndpointNames.as_view(), name="v1-models"),
    # A colon ends the name, so that what predicts stands before what describes.
    path(f"{_V1}:predict", Predict.as_view(), name="v1-predict"),
    path(f"{_V1}/versions/<int:version>:predict", Predict.as_view(), name="v1-predict-version"),
    path(f"{_V1}/labels/<str:version>:predict", Predict.as_view(), name="v1-predict-label"),
    path(_V1, v1.EndpointStatus.as_view(), name="v1-model"),
]
