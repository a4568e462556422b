"""The routes of outcomes, below `/api/v1/`."""

from __future__ import annotations

from django.urls import path

from inference.api import outcomes

urlpatterns = [
    path("endpoints/<str:slug>/outcomes", outcomes.EndpointOutcomes.as_view(), name="api-endpoint-outcomes"),
    path("outcomes", outcomes.Outcomes.as_view(), name="api-outcomes"),
    path("outcomes/imports/<uuid:import_id>", outcomes.OutcomeImport.as_view(), name="api-outcome-import"),
]
