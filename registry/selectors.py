"""Questions about the registry. Every one takes the caller and answers only from what he may see."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ApiToken, AuditEvent, ModelAlias, ModelVersion, Project, RegisteredModel

DEFAULT_PROJECT = "default"


def _missing(sentence: str) -> NotFound:
    return NotFound(sentence)


def projects_for(principal: Principal) -> QuerySet[Project]:
    return Project.objects.filter(policy.visible(principal, "pk"))


def get_project(principal: Principal, slug: str | None) -> Project:
    project = projects_for(principal).filter(slug=slug or DEFAULT_PROJECT).first()
    if project is None:
        raise _missing(_("There is no project “%(slug)s”, or you are no member.") % {"slug": slug or DEFAULT_PROJECT})
    return project


def models_for(principal: Principal) -> QuerySet[RegisteredModel]:
    return RegisteredModel.objects.filter(policy.visible(principal)).select_related("project", "created_by")


def get_model(principal: Principal, name: str) -> RegisteredModel:
    model = models_for(principal).filter(name=name).first()
    if model is None:
        raise _missing(_("There is no model “%(name)s”.") % {"name": name})
    return model


def versions_of(model: RegisteredModel) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(model=model).select_related("model", "created_by").prefetch_related("aliases")


def get_version(principal: Principal, name: str, number: int) -> ModelVersion:
    model = get_model(principal, name)
    version = versions_of(model).filter(number=number).first() if 0 < number < 2**31 else None
    if version is None:
        raise _missing(_("Model “%(name)s” has no version %(number)s.") % {"name": name, "number": number})
    return version


def get_alias(principal: Principal, name: str, alias: str) -> ModelAlias:
    model = get_model(principal, name)
    found = ModelAlias.objects.filter(model=model, name=alias).select_related("model", "version").first()
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
