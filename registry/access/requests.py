"""What our middleware adds to Django's request, for the type checker's sake."""

from __future__ import annotations

from django.http import HttpRequest

from registry.access.principal import Principal
from registry.models import User


class PageRequest(HttpRequest):
    """A request as a view of ours gets it: signed in, numbered, and with its principal."""

    principal: Principal
    request_id: str
    user: User
