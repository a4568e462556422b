"""How API callers say who they are: a bearer token, or the session of somebody signed in (then with CSRF)."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from portal.lib.errors import NotAuthenticated
from registry.access.principal import Principal, principal_of_user
from registry.access.tokens import digest_of, note_use, principal_of_token


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer swy_...`; `request.user` is then a `Principal`."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _space, token = header.partition(" ")
        principal = principal_of_token(token.strip()) if scheme.lower() == "bearer" else None
        if principal is None:
            raise NotAuthenticated(_("This token is unknown, expired or revoked."), code="invalid_token")
        note_use([digest_of(token.strip())])
        return principal, None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="slipway"'


class PageSessionAuthentication(BaseAuthentication):
    """The browser's session, for the pages' own scripts and the Swagger page."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_authenticated or not user.is_active:
            return None
        self._enforce_csrf(request)
        return principal_of_user(user), None

    def _enforce_csrf(self, request: Request) -> None:
        check = CSRFCheck(lambda _request: HttpResponse())
        check.process_request(request._request)
        reason = check.process_view(request._request, HttpResponse, (), {})
        if reason:
            raise PermissionDenied(_("The CSRF token is missing or wrong: reload the page."))
