"""The routes of replays, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from inference.api import replays

urlpatterns = [
    path("endpoints/<str:slug>/replays", replays.ReplayList.as_view(), name="api-replays"),
    path("replays/<int:replay_id>", replays.ReplayDetail.as_view(), name="api-replay"),
]
