"""The routes of golden requests, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from inference.api import golden

_MODEL = "models/<str:name>"

urlpatterns = [
    path(f"{_MODEL}/golden", golden.GoldenList.as_view(), name="api-golden"),
    path(f"{_MODEL}/golden/<int:golden_id>", golden.GoldenDetail.as_view(), name="api-golden-one"),
    path(f"{_MODEL}/versions/<int:number>/golden-runs", golden.GoldenRunList.as_view(), name="api-golden-runs"),
]
