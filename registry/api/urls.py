"""The registry's part of `/api/v1/`. Paths have no trailing slash."""

from __future__ import annotations

from django.urls import path

from registry.api.models import AliasDetail, ModelDetail, ModelList
from registry.api.tokens import AuditList, TokenDetail, TokenList
from registry.api.versions import VersionDetail, VersionDownload, VersionList
from registry.api.webhooks import DeliveryList, DeliveryReplay, WebhookDetail, WebhookList

urlpatterns = [
    path("models", ModelList.as_view(), name="api-models"),
    path("models/<str:name>", ModelDetail.as_view(), name="api-model"),
    path("models/<str:name>/versions", VersionList.as_view(), name="api-versions"),
    path("models/<str:name>/versions/<int:number>", VersionDetail.as_view(), name="api-version"),
    path("models/<str:name>/versions/<int:number>/download", VersionDownload.as_view(), name="api-version-download"),
    path("models/<str:name>/aliases/<str:alias>", AliasDetail.as_view(), name="api-alias"),
    path("tokens", TokenList.as_view(), name="api-tokens"),
    path("tokens/<int:token_id>", TokenDetail.as_view(), name="api-token"),
    path("webhooks", WebhookList.as_view(), name="api-webhooks"),
    path("webhooks/<int:webhook_id>", WebhookDetail.as_view(), name="api-webhook"),
    path("webhooks/<int:webhook_id>/deliveries", DeliveryList.as_view(), name="api-deliveries"),
    path("deliveries/<int:delivery_id>/replay", DeliveryReplay.as_view(), name="api-delivery-replay"),
    path("audit", AuditList.as_view(), name="api-audit"),
]
