from __future__ import annotations

from django.urls import path

from inference.api import rollouts

urlpatterns = [
    path("endpoints/<str:slug>/rollouts", rollouts.RolloutList.as_view(), name="api-rollouts"),
    path("endpoints/<str:slug>/rehearse", rollouts.Rehearse.as_view(), name="api-rehearse"),
    path("rollouts/<int:rollout_id>", rollouts.RolloutDetail.as_view(), name="api-rollout"),
    path("rollouts/<int:rollout_id>/start", rollouts.Start.as_view(), name="api-rollout-start"),
    path("rollouts/<int:rollout_id>/pause", rollouts.Pause.as_view(), name="api-rollout-pause"),
    path("rollouts/<int:rollout_id>/resume", rollouts.Resume.as_view(), name="api-rollout-resume"),
    path("rollouts/<int:rollout_id>/advance", rollouts.Advance.as_view(), name="api-rollout-advance"),
    path("rollouts/<int:rollout_id>/promote", rollouts.Promote.as_view(), name="api-rollout-promote"),
    path("rollouts/<int:rollout_id>/abort", rollouts.Abort.as_view(), name="api-rollout-abort"),
]
