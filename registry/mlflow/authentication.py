"""Who calls, the way the MLflow client says it: a bearer token, or Basic with the token as the password. No cookies."""

from __future__ import annotations

import base64
import binascii

from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from portal.lib.errors import NotAuthenticated
from registry.access.principal import Principal
from registry.access.tokens import digest_of, note_use, principal_of_token


class TokenOrBasic(BaseAuthentication):
    """`MLFLOW_TRACKING_TOKEN`, or `MLFLOW_TRACKING_PASSWORD`; of `MLFLOW_TRACKING_USERNAME` nothing is asked."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        token = _token(header)
        principal = principal_of_token(token) if token else None
        if principal is None:
            raise NotAuthenticated(
                _("This token is unknown, expired or revoked. Set MLFLOW_TRACKING_TOKEN to a token of the portal."),
                code="invalid_token",
            )
        note_use([digest_of(token)])
        return principal, None

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="slipway"'


def _token(header: str) -> str:
    """The token inside the header, or an empty text where there is none."""
    scheme, _space, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        _user, _colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password
