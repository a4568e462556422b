from registry.models.access import ApiToken, Membership, Project, Role, SignaturePolicy, SigningKey, User
from registry.models.audit import AuditEvent, AuditHead
from registry.models.catalog import ModelAlias, ModelVersion, RegisteredModel, VersionMetric, VersionStatus
from registry.models.notifications import Delivery, DeliveryState, EmailSubscription, Notification, Webhook
from registry.models.tracking import LoggedFile, LoggedModel, TrackingExperiment, TrackingMetric, TrackingRun
from registry.models.uploads import Upload, UploadPart, UploadState

__all__ = [
    "ApiToken",
    "AuditEvent",
    "AuditHead",
    "Delivery",
    "DeliveryState",
    "EmailSubscription",
    "LoggedFile",
    "LoggedModel",
    "Membership",
    "ModelAlias",
    "ModelVersion",
    "Notification",
    "Project",
    "RegisteredModel",
    "Role",
    "SignaturePolicy",
    "SigningKey",
    "TrackingExperiment",
    "TrackingMetric",
    "TrackingRun",
    "Upload",
    "UploadPart",
    "UploadState",
    "User",
    "VersionMetric",
    "VersionStatus",
    "Webhook",
]
