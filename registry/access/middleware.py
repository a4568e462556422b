"""Gives pages `request.principal`, read from the session's user on first use."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from registry.access.principal import principal_of_user


class PrincipalMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        lazy = SimpleLazyObject(lambda: principal_of_user(request.user))
        request.principal = lazy  # type: ignore[attr-defined]
        return self.get_response(request)
