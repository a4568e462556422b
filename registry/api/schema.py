"""How the OpenAPI document names the two ways of saying who one is."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object

BEARER = "token"


class Schema(AutoSchema):
    def get_operation_id(self) -> str:
        """As names in generated clients: the `:` of `/v1/models/x:predict` cannot stand in one."""
        return re.sub(r"\W", "_", super().get_operation_id())


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "registry.access.authentication.TokenAuthentication"
    name = BEARER

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return build_bearer_security_scheme_object("Authorization", "Bearer", "swy_…")


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "registry.access.authentication.PageSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
