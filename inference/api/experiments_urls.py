"""The routes of experiments, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from inference.api import experiments

urlpatterns = [
    path("endpoints/<str:slug>/experiments", experiments.ExperimentList.as_view(), name="api-experiments"),
    path("experiments/<int:experiment_id>", experiments.ExperimentDetail.as_view(), name="api-experiment"),
    path(
        "experiments/<int:experiment_id>/conclude",
        experiments.ExperimentConclude.as_view(),
        name="api-experiment-conclude",
    ),
]
