"""What a token looks like, and whom it stands for. Only its SHA-256 is ever stored.

The secret has 256 random bits, so a plain SHA-256 is enough (no password stretching), and the look-up by digest leaks
nothing by its timing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from registry.access.principal import AUDITOR_GROUP, Principal
from registry.models import ApiToken, Membership, User

BEGINS_WITH = "swy_"
NOTE_USE_EVERY = timedelta(minutes=1)
MOST_IN_USE = 1000


def new_secret() -> tuple[str, str]:
    """Returns (prefix, whole token); the token is `swy_<prefix>_<43 characters>`."""
    prefix = secrets.token_hex(4)
    return prefix, f"{BEGINS_WITH}{prefix}_{secrets.token_urlsafe(32)}"


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def principals_of_digests(digests: Iterable[str]) -> dict[str, Principal]:
    """The owners' *current* rights for every live token among the digests, in three queries however many there are."""
    tokens = list(
        ApiToken.objects.filter(digest__in=list(digests), revoked_at=None, user__is_active=True)
        .filter(expires_at__gt=timezone.now())
        .select_related("user")
    )
    owners = {token.user_id for token in tokens}
    roles: dict[int, dict[int, str]] = {owner: {} for owner in owners}
    for user_id, project_id, role in Membership.objects.filter(user__in=owners).values_list("user", "project", "role"):
        roles[user_id][project_id] = role
    auditors = set(User.objects.filter(pk__in=owners, groups__name=AUDITOR_GROUP).values_list("pk", flat=True))
    return {
        token.digest: Principal(
            token.user_id,
            token.user.username,
            is_superuser=token.user.is_superuser,
            is_auditor=token.user_id in auditors,
            roles=roles[token.user_id],
            scopes=frozenset(token.scopes),
            endpoints=frozenset(token.endpoints) or None,
            token_prefix=token.prefix,
            requests_per_second=token.requests_per_second,
        )
        for token in tokens
    }


def principal_of_token(token: str) -> Principal | None:
    digest = digest_of(token)
    return principals_of_digests([digest]).get(digest)


def note_use(digests: Iterable[str]) -> None:
    """Keeps `last_used_at` to the minute, so that a busy token does not write on every request."""
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - NOTE_USE_EVERY)
    ApiToken.objects.filter(stale, digest__in=list(digests)).update(last_used_at=now)


def digests_in_use(seconds: float) -> set[str]:
    """The live tokens that were used within the last `seconds`, at most a thousand."""
    since = timezone.now() - timedelta(seconds=seconds)
    live = ApiToken.objects.filter(last_used_at__gt=since, revoked_at=None)
    return set(live.order_by("-last_used_at").values_list("digest", flat=True)[:MOST_IN_USE])
