"""Questions about the registry. Every one takes the caller and answers only from what he may see."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound
from portal.lib.texts import is_storable
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ApiToken, AuditEvent, ModelAlias, ModelVersion, Project, RegisteredModel

DEFAULT_PROJECT = "default"


def _missing(sentence: str) -> NotFound:
    return NotFound(sentence)


def projects_for(principal: Principal) -> QuerySet[Project]:
    return Project.objects.filter(policy.visible(principal, "pk"))


def get_project(principal: Principal, slug: str | None) -> Project:
    slug = slug or DEFAULT_PROJECT
    project = projects_for(principal).filter(slug=slug).first() if is_storable(slug) else None
    if project is None:
        raise _missing(_("There is no project “%(slug)s”, or you are no member.") % {"slug": slug})
    return project


def models_for(principal: Principal) -> QuerySet[RegisteredModel]:
    return RegisteredModel.objects.filter(policy.visible(principal), deleted_at=None).select_related(
        "project", "created_by"
    )


def get_model(principal: Principal, name: str) -> RegisteredModel:
    model = models_for(principal).filter(name=name).first() if is_storable(name) else None
    if model is None:
        raise _missing(_("There is no model “%(name)s”.") % {"name": name})
    return model


def versions_of(model: RegisteredModel) -> QuerySet[ModelVersion]:
    alive = ModelVersion.objects.filter(model=model, deleted_at=None)
    return alive.select_related("model", "created_by").prefetch_related("aliases")


def get_version(principal: Principal, name: str, number: int) -> ModelVersion:
    model = get_model(principal, name)
    version = versions_of(model).filter(number=number).first() if 0 < number < 2**31 else None
    if version is None:
        raise _missing(_("Model “%(name)s” has no version %(number)s.") % {"name": name, "number": number})
    return version


def recent_versions(principal: Principal, most: int) -> list[ModelVersion]:
    """What one has uploaded oneself, newest first, whatever became of it; without the parts that are long."""
    mine = ModelVersion.objects.filter(policy.visible(principal, "model__project_id"), deleted_at=None)
    mine = mine.filter(created_by_id=principal.user_id or 0, model__deleted_at=None).select_related("model")
    return list(mine.defer("steps", "seal", "signature", "manifest", "lineage", "files").order_by("-pk")[:most])


def get_alias(principal: Principal, name: str, alias: str) -> ModelAlias:
    model = get_model(principal, name)
    rows = ModelAlias.objects.filter(model=model, name=alias).select_related("model", "version")
    found = rows.first() if is_storable(alias) else None
    if found is None:
        raise _missing(_("Model “%(name)s” has no alias “%(alias)s”.") % {"name": name, "alias": alias})
    return found


def tokens_for(principal: Principal) -> QuerySet[ApiToken]:
    """One's own tokens; a superuser sees everybody's."""
    tokens = ApiToken.objects.select_related("user")
    return tokens if principal.is_superuser else tokens.filter(user_id=principal.user_id or 0)


def audit_for(principal: Principal) -> QuerySet[AuditEvent]:
    """The whole record for auditors and superusers, else that of the projects one owns."""
    events = AuditEvent.objects.select_related("project")
    if policy.can(principal, "audit.view_all"):
        return events
    owned = [project for project in principal.roles if policy.can(principal, "audit.view", project)]
    return events.filter(project_id__in=owned)
