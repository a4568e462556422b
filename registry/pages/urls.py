from __future__ import annotations

from django.urls import path

from registry.pages import (
    audit,
    catalog,
    compare,
    deletion,
    graph,
    projects,
    signing_keys,
    tokens,
    uploads,
    versions,
    webhooks,
)

urlpatterns = [
    path("models", catalog.models, name="models"),
    path("models/upload", uploads.upload, name="upload"),
    path("models/upload/<uuid:upload_id>/discard", uploads.discard, name="upload-discard"),
    path("models/<str:name>", catalog.model, name="model"),
    path("models/<str:name>/edit", catalog.edit_model, name="model-edit"),
    path("models/<str:name>/compare", compare.compare, name="model-compare"),
    path("models/<str:name>/lineage", compare.lineage, name="model-lineage"),
    path("models/<str:name>/endpoints", compare.endpoints, name="model-endpoints"),
    path("models/<str:name>/activity", compare.activity, name="model-activity"),
    path("models/<str:name>/versions/<int:number>/edit", catalog.edit_version, name="version-edit"),
    path("models/<str:name>/versions/<int:number>", versions.version, name="version"),
    path("models/<str:name>/delete", deletion.delete_model, name="model-delete"),
    path("models/<str:name>/versions/<int:number>/archive", deletion.archive, name="version-archive"),
    path("models/<str:name>/versions/<int:number>/restore", deletion.restore, name="version-restore"),
    path("models/<str:name>/versions/<int:number>/delete", deletion.delete_version, name="version-delete"),
    path("projects", projects.projects, name="projects"),
    path("projects/<str:project>", projects.project, name="project"),
    path("models/<str:name>/versions/<int:number>/graph", graph.graph, name="version-graph"),
    path("models/<str:name>/versions/<int:number>/graph/model.onnx", graph.graph_file, name="version-graph-file"),
    path("netron/<str:release>/<str:file>", graph.netron, name="netron"),
    path("models/<str:name>/versions/<int:number>/validation", versions.validation, name="version-validation"),
    path("models/<str:name>/versions/<int:number>/aliases", versions.set_alias, name="alias-set"),
    path(
        "models/<str:name>/versions/<int:number>/aliases/<str:alias>/delete", versions.delete_alias, name="alias-delete"
    ),
    path("audit", audit.audit, name="audit"),
    path("tokens", tokens.tokens, name="tokens"),
    path("tokens/<int:token_id>/revoke", tokens.revoke, name="token-revoke"),
    path("signing-keys", signing_keys.signing_keys, name="signing-keys"),
    path("signing-keys/<int:key_id>/revoke", signing_keys.revoke, name="signing-key-revoke"),
    path("webhooks", webhooks.webhooks, name="webhooks"),
    path("webhooks/email", webhooks.email, name="webhooks-email"),
    path("webhooks/<int:webhook_id>", webhooks.webhook, name="webhook"),
    path("webhooks/<int:webhook_id>/deliveries", webhooks.deliveries, name="webhook-deliveries"),
    path("webhooks/<int:webhook_id>/test", webhooks.test, name="webhook-test"),
    path("webhooks/<int:webhook_id>/active", webhooks.set_active, name="webhook-active"),
    path("webhooks/<int:webhook_id>/delete", webhooks.delete, name="webhook-delete"),
    path("deliveries/<int:delivery_id>/replay", webhooks.replay, name="delivery-replay"),
]
