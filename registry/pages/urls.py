from __future__ import annotations

from django.urls import path

from registry.pages import audit, catalog, tokens, uploads, versions

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
]
