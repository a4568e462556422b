from registry.models.access import ApiToken, Membership, Project, Role, User
from registry.models.audit import AuditEvent, AuditHead
from registry.models.catalog import ModelAlias, ModelVersion, RegisteredModel, VersionStatus
from registry.models.notifications import Delivery, DeliveryState, EmailSubscription, Notification, Webhook

__all__ = [
    "ApiToken",
    "AuditEvent",
    "AuditHead",
    "Delivery",
    "DeliveryState",
    "EmailSubscription",
    "Membership",
    "ModelAlias",
    "ModelVersion",
    "Notification",
    "Project",
    "RegisteredModel",
    "Role",
    "User",
    "VersionStatus",
    "Webhook",
]
