"""The registry's part of `/api/v1/`. Paths have no trailing slash."""

from __future__ import annotations

from django.urls import path

from registry.api.compare import VersionComparison
from registry.api.deletion import VersionArchive, VersionRestore
from registry.api.models import AliasDetail, ModelDetail, ModelList
from registry.api.projects import ProjectDetail, ProjectList, RetentionPreview
from registry.api.signing_keys import PortalKeys, SigningKeyDetail, SigningKeyList
from registry.api.tokens import AuditList, TokenDetail, TokenList
from registry.api.uploads import UploadComplete, UploadDetail, UploadList, UploadPartDetail
from registry.api.versions import VersionDetail, VersionDownload, VersionList
from registry.api.webhooks import DeliveryList, DeliveryReplay, WebhookDetail, WebhookList

urlpatterns = [
    path("models", ModelList.as_view(), name="api-models"),
    path("models/<str:name>", ModelDetail.as_view(), name="api-model"),
    path("models/<str:name>/compare", VersionComparison.as_view(), name="api-compare"),
    path("models/<str:name>/versions", VersionList.as_view(), name="api-versions"),
    path("models/<str:name>/versions/<int:number>", VersionDetail.as_view(), name="api-version"),
    path("models/<str:name>/versions/<int:number>/download", VersionDownload.as_view(), name="api-version-download"),
    path("models/<str:name>/versions/<int:number>/archive", VersionArchive.as_view(), name="api-version-archive"),
    path("models/<str:name>/versions/<int:number>/restore", VersionRestore.as_view(), name="api-version-restore"),
    path("models/<str:name>/aliases/<str:alias>", AliasDetail.as_view(), name="api-alias"),
    path("uploads", UploadList.as_view(), name="api-uploads"),
    path("uploads/<uuid:upload_id>", UploadDetail.as_view(), name="api-upload"),
    path("uploads/<uuid:upload_id>/parts/<int:number>", UploadPartDetail.as_view(), name="api-upload-part"),
    path("uploads/<uuid:upload_id>/complete", UploadComplete.as_view(), name="api-upload-complete"),
    path("projects", ProjectList.as_view(), name="api-projects"),
    path("projects/<str:project>", ProjectDetail.as_view(), name="api-project"),
    path("projects/<str:project>/retention/preview", RetentionPreview.as_view(), name="api-retention-preview"),
    path("tokens", TokenList.as_view(), name="api-tokens"),
    path("tokens/<int:token_id>", TokenDetail.as_view(), name="api-token"),
    path("signing-keys", SigningKeyList.as_view(), name="api-signing-keys"),
    path("signing-keys/portal", PortalKeys.as_view(), name="api-portal-keys"),
    path("signing-keys/<int:key_id>", SigningKeyDetail.as_view(), name="api-signing-key"),
    path("webhooks", WebhookList.as_view(), name="api-webhooks"),
    path("webhooks/<int:webhook_id>", WebhookDetail.as_view(), name="api-webhook"),
    path("webhooks/<int:webhook_id>/deliveries", DeliveryList.as_view(), name="api-deliveries"),
    path("deliveries/<int:delivery_id>/replay", DeliveryReplay.as_view(), name="api-delivery-replay"),
    path("audit", AuditList.as_view(), name="api-audit"),
]
