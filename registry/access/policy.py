"""The one place that decides. Callers ask `can` or `require`; the rules stand in `actions.py`."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from portal.lib.errors import NotAllowed, NotAuthenticated, NotFound
from registry.access.actions import ACTIONS, ROLE_RANK, SITE
from registry.access.principal import Principal


def has_scope(principal: Principal, action: str) -> bool:
    return principal.scopes is None or ACTIONS[action].scope in principal.scopes


def _has_role(principal: Principal, action: str, project_id: int | None) -> bool:
    needed = ACTIONS[action].role
    if principal.is_superuser:
        return True
    if needed == SITE:
        return principal.is_auditor
    if not needed:
        return principal.is_authenticated
    return ROLE_RANK.get(principal.roles.get(project_id or 0, ""), 0) >= ROLE_RANK[needed]


def can(principal: Principal, action: str, project_id: int | None = None) -> bool:
    return has_scope(principal, action) and _has_role(principal, action, project_id)


def can_see_project(principal: Principal, project_id: int) -> bool:
    return principal.is_superuser or project_id in principal.roles


def require(principal: Principal, action: str, project_id: int | None = None) -> None:
    """Raises NotAuthenticated, NotFound where the caller may not even see the project, or NotAllowed."""
    if not principal.is_authenticated:
        raise NotAuthenticated(_("Sign in or send a token."))
    if project_id is not None and not can_see_project(principal, project_id):
        raise NotFound(_("There is no such object, or you may not see it."))
    if not has_scope(principal, action):
        scope = ACTIONS[action].scope
        raise NotAllowed(
            _("This token lacks the scope “%(scope)s”: create one that has it.") % {"scope": scope},
            code="missing_scope",
            details={"scope": scope},
        )
    if not _has_role(principal, action, project_id):
        role = ACTIONS[action].role
        raise NotAllowed(
            _("Your role in this project does not permit this: it takes “%(role)s” or above.") % {"role": role},
            details={"action": action, "role": role},
        )


def require_endpoint(principal: Principal, action: str, project_id: int, slug: str) -> None:
    """As `require`, and a token that names its endpoints sees no other one."""
    if principal.endpoints is not None and slug not in principal.endpoints:
        raise NotFound(_("There is no such object, or you may not see it."))
    require(principal, action, project_id)


def visible(principal: Principal, path: str = "project_id") -> Q:
    """The filter that leaves what lies in the caller's own projects; `path` leads to the project's id."""
    if principal.is_superuser:
        return Q()
    return Q(**{f"{path}__in": list(principal.roles)})
