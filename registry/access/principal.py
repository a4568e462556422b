"""Who is asking, read once per request: a person by session, or a token that acts for its owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from registry.models import User

AUDITOR_GROUP = "auditor"


@dataclass(frozen=True, slots=True)
class Principal:
    """`scopes` and `endpoints` are None where nothing narrows the person's own rights."""

    user_id: int | None
    name: str
    is_superuser: bool = False
    is_auditor: bool = False
    roles: dict[int, str] = field(default_factory=dict)
    scopes: frozenset[str] | None = None
    endpoints: frozenset[str] | None = None
    token_prefix: str = ""
    requests_per_second: int | None = None

    @property
    def is_authenticated(self) -> bool:
        return self.user_id is not None or self.is_superuser


ANONYMOUS = Principal(None, "")
# Acts of the portal itself: validation, reconcilers, the demo.
SYSTEM = Principal(None, "system", is_superuser=True)


def principal_of_user(user: User | AnonymousUser) -> Principal:
    if not user.is_authenticated or not user.is_active:
        return ANONYMOUS
    return Principal(
        user.pk,
        user.get_username(),
        is_superuser=user.is_superuser,
        is_auditor=user.groups.filter(name=AUDITOR_GROUP).exists(),
        roles=dict(user.memberships.values_list("project_id", "role")),
    )
