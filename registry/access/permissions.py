"""Deny by default: an API view says in `actions` which action each of its methods is, or nobody gets in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission

from portal.lib.errors import NotAllowed, NotAuthenticated
from registry.access.actions import ACTIONS
from registry.access.policy import has_scope
from registry.access.principal import Principal

if TYPE_CHECKING:  # DRF reads this module while it is being imported itself.
    from rest_framework.request import Request
    from rest_framework.views import APIView


class ActionPermission(BasePermission):
    """Checks that there is a caller and that the token's scope fits; the services check the role in the project."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        action = getattr(view, "actions", {}).get(request.method)
        if action is None:
            return False
        if not isinstance(request.user, Principal) or not request.user.is_authenticated:
            raise NotAuthenticated(_("Send a token: Authorization: Bearer swy_…"))
        if not has_scope(request.user, action):
            scope = ACTIONS[action].scope
            raise NotAllowed(
                _("This token lacks the scope “%(scope)s”: create one that has it.") % {"scope": scope},
                code="missing_scope",
                details={"scope": scope},
            )
        return True
