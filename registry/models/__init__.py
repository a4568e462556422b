from registry.models.access import ApiToken, Membership, Project, Role, User
from registry.models.audit import AuditEvent, AuditHead
from registry.models.catalog import ModelAlias, ModelVersion, RegisteredModel, VersionStatus

__all__ = [
    "ApiToken",
    "AuditEvent",
    "AuditHead",
    "Membership",
    "ModelAlias",
    "ModelVersion",
    "Project",
    "RegisteredModel",
    "Role",
    "User",
    "VersionStatus",
]
