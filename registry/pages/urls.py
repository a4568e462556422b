from __future__ import annotations

from django.urls import path

from registry.pages import audit, catalog, tokens, uploads, versions, webhooks

urlpatterns = [
    path("models", catalog.models, name="models"),
    path("models/upload", uploads.upload, name="upload"),
    path("models/<str:name>", catalog.model, name="model"),
    path("models/<str:name>/edit", catalog.edit_model, name="model-edit"),
    path("models/<str:name>/versions/<int:number>", versions.version, name="version"),
    path("models/<str:name>/versions/<int:number>/validation", versions.validation, name="version-validation"),
    path("models/<str:name>/versions/<int:number>/aliases", versions.set_alias, name="alias-set"),
    path(
        "models/<str:name>/versions/<int:number>/aliases/<str:alias>/delete", versions.delete_alias, name="alias-delete"
    ),
    path("audit", audit.audit, name="audit"),
    path("tokens", tokens.tokens, name="tokens"),
    path("tokens/<int:token_id>/revoke", tokens.revoke, name="token-revoke"),
    path("webhooks", webhooks.webhooks, name="webhooks"),
    path("webhooks/email", webhooks.email, name="webhooks-email"),
    path("webhooks/<int:webhook_id>", webhooks.webhook, name="webhook"),
    path("webhooks/<int:webhook_id>/deliveries", webhooks.deliveries, name="webhook-deliveries"),
    path("webhooks/<int:webhook_id>/test", webhooks.test, name="webhook-test"),
    path("webhooks/<int:webhook_id>/active", webhooks.set_active, name="webhook-active"),
    path("webhooks/<int:webhook_id>/delete", webhooks.delete, name="webhook-delete"),
    path("deliveries/<int:delivery_id>/replay", webhooks.replay, name="delivery-replay"),
]
