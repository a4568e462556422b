"""A project's settings: how much it may keep, whose signature it asks for, what its rules do by themselves."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, NotAllowed
from registry.access import policy
from registry.access.principal import Principal
from registry.models import Project, SignaturePolicy
from registry.services import audit
from registry.services.retention import check_rules

LIMITS = ("quota_bytes", "max_upload_bytes")
MOST_BYTES = 2**62


def edit_project(principal: Principal, project: Project, changes: dict[str, Any]) -> Project:
    """`changes` may hold `LIMITS`, `signature_policy` and `retention`; what it leaves out stays.

    An owner sets the policy and the rules. The limits bound the owner too, so only a superuser sets these.
    """
    policy.require(principal, "project.edit", project.pk)
    checks = {"signature_policy": _checked_policy, "retention": check_rules}
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        wanted: dict[str, Any] = {name: _checked_limit(name, changes[name]) for name in LIMITS if name in changes}
        wanted |= {name: check(changes[name]) for name, check in checks.items() if name in changes}
        before = {name: getattr(locked, name) for name in wanted if getattr(locked, name) != wanted[name]}
        if not before:
            return locked
        _require_administrator(principal, before)
        for name in before:
            setattr(locked, name, wanted[name])
        locked.save(update_fields=list(before))
        details = {"before": before, "after": {name: wanted[name] for name in before}}
        audit.record(principal, "project.edited", locked, project_id=locked.pk, details=details)
    return locked


def _require_administrator(principal: Principal, changed: dict[str, Any]) -> None:
    """Sending a limit back as it is changes nothing, so anybody may."""
    if not principal.is_superuser and set(changed) & set(LIMITS):
        raise NotAllowed(
            _("Quota and largest upload are set by an administrator of the installation: ask one."),
            code="administrator_only",
            details={"fields": sorted(set(changed) & set(LIMITS))},
        )


def _checked_limit(name: str, value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 0 < value <= MOST_BYTES):
        raise InvalidInput(
            _("%(name)s has to be a number of bytes above zero, or null for no limit of its own.") % {"name": name},
            details={"field": name},
        )
    return value


def _checked_policy(value: Any) -> str:
    if not isinstance(value, str) or value not in SignaturePolicy.values:
        words = {"names": ", ".join(SignaturePolicy.values)}
        raise InvalidInput(
            _("signature_policy has to be one of: %(names)s.") % words, details={"field": "signature_policy"}
        )
    return value
