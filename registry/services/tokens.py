"""Creating and revoking API tokens. A token never exceeds its owner's current rights (`registry/access/tokens.py`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, NotAllowed, NotFound
from registry.access import policy
from registry.access.actions import SCOPES
from registry.access.principal import Principal
from registry.access.tokens import digest_of, new_secret
from registry.models import ApiToken, User
from registry.services import audit

DEFAULT_DAYS = 90
MAX_DAYS = 3650
MAX_RATE = 1_000_000


def create_token(
    principal: Principal,
    *,
    owner: User,
    name: str,
    scopes: list[str],
    endpoints: list[str] | None = None,
    days: int = DEFAULT_DAYS,
    requests_per_second: int | None = None,
) -> tuple[ApiToken, str]:
    """Returns the row and the secret, which is shown this once only."""
    policy.require(principal, "token.create")
    _check(name, scopes, days)
    _check_rate(requests_per_second)
    _check_not_beyond(principal, scopes, endpoints, requests_per_second)
    prefix, secret = new_secret()
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=owner,
            name=name.strip(),
            prefix=prefix,
            digest=digest_of(secret),
            scopes=sorted(set(scopes)),
            endpoints=sorted(set(endpoints or [])),
            requests_per_second=requests_per_second,
            expires_at=timezone.now() + timedelta(days=days),
        )
        details = {
            "owner": owner.get_username(),
            "scopes": token.scopes,
            "endpoints": token.endpoints,
            "expires_at": token.expires_at.isoformat(),
            "requests_per_second": requests_per_second,
        }
        audit.record(principal, "token.created", token, details=details)
    return token, secret


def create_own_token(principal: Principal, **wanted: Any) -> tuple[ApiToken, str]:
    """As `create_token`, for the caller."""
    owner = User.objects.filter(pk=principal.user_id or 0).first()
    if owner is None:
        raise NotAllowed(_("Only a person can own a token."))
    return create_token(principal, owner=owner, **wanted)


def _check(name: str, scopes: list[str], days: int) -> None:
    if not name.strip() or len(name) > 100:
        raise InvalidInput(_("Give the token a name of 1 to 100 characters."), details={"field": "name"})
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise InvalidInput(
            _("Choose scopes among: %(scopes)s.") % {"scopes": ", ".join(SCOPES)},
            details={"field": "scopes", "unknown": unknown},
        )
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput(_("A token lives 1 to %(days)s days.") % {"days": MAX_DAYS}, details={"field": "days"})


def _check_rate(rate: int | None) -> None:
    if rate is not None and not 1 <= rate <= MAX_RATE:
        raise InvalidInput(
            _("A token may send 1 to %(most)s predictions a second, or leave it empty for no limit.")
            % {"most": MAX_RATE},
            details={"field": "requests_per_second"},
        )


def _check_not_beyond(principal: Principal, scopes: list[str], endpoints: list[str] | None, rate: int | None) -> None:
    """A token cannot mint a stronger one."""
    if principal.scopes is not None and not set(scopes) <= principal.scopes:
        raise NotAllowed(_("A token cannot create one with more scopes than it has."))
    if principal.endpoints is not None and not (endpoints and set(endpoints) <= principal.endpoints):
        raise NotAllowed(_("A token cannot create one for more endpoints than it has."))
    if principal.requests_per_second is not None and (rate is None or rate > principal.requests_per_second):
        raise NotAllowed(_("A token cannot create one that may ask more often than itself."))


def revoke_token(principal: Principal, token_id: int) -> None:
    policy.require(principal, "token.revoke")
    with transaction.atomic():
        token = ApiToken.objects.select_for_update().filter(pk=token_id).filter(_own(principal)).first()
        if token is None:
            raise NotFound(_("There is no such token, or it is not yours."))
        if token.revoked_at is None:
            ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
            audit.record(principal, "token.revoked", token)


def _own(principal: Principal) -> Q:
    return Q() if principal.is_superuser else Q(user_id=principal.user_id)
