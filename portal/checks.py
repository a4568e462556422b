"""System checks of our own settings: `manage.py check` and every start name what is wrong and how to mend it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning

from inference.runtime.providers import ProviderMissing, check_providers
from registry.services.keys import BadKey, encryption_keys, trusted_keys


@register(Tags.security)
def check_secret_key(**_: Any) -> list[CheckMessage]:
    if len(settings.SECRET_KEY) < 32:
        return [
            Error(
                "The secret key is too short.", hint="Set PORTAL_SECRET_KEY to 50 random characters.", id="portal.E001"
            )
        ]
    return []


@register(Tags.security)
def check_keys(**_: Any) -> list[CheckMessage]:
    hint = 'Make one with: python3 -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"'
    try:
        trusted_keys()
        encryption_keys()
    except BadKey as error:
        return [Error(str(error), hint=hint, id="portal.E006")]
    return []


@register(Tags.compatibility)
def check_limits(**_: Any) -> list[CheckMessage]:
    names = ("PORTAL_MAX_UPLOAD_BYTES", "PORTAL_MAX_BODY_BYTES", "PORTAL_SESSION_BUDGET_BYTES", "PORTAL_LEASE_SECONDS")
    return [
        Error(
            f"{name} has to be above zero.", hint=f"Leave {name} out, or give it a sensible number.", id="portal.E002"
        )
        for name in names
        if getattr(settings, name) <= 0
    ]


@register(Tags.compatibility)
def check_execution_providers(**_: Any) -> list[CheckMessage]:
    """The CPU is always there; to look for others takes seconds, so that is done only where some are named."""
    if settings.PORTAL_EXECUTION_PROVIDERS == ["cpu"]:
        return []
    try:
        check_providers(settings.PORTAL_EXECUTION_PROVIDERS)
    except ProviderMissing as error:
        return [
            Error(str(error), hint="Change PORTAL_EXECUTION_PROVIDERS, or install what it names.", id="portal.E004")
        ]
    return []


@register(Tags.compatibility)
def check_what_is_served(**_: Any) -> list[CheckMessage]:
    if settings.PORTAL_SERVES in ("all", "predictions", "pages"):
        return []
    hint = "Set PORTAL_SERVES to all, predictions or pages."
    return [Error(f"PORTAL_SERVES cannot be “{settings.PORTAL_SERVES}”.", hint=hint, id="portal.E005")]


@register(Tags.security, deploy=True)
def check_https(**_: Any) -> list[CheckMessage]:
    if settings.HTTPS:
        return []
    return [
        CheckWarning("Cookies travel without TLS.", hint="Put TLS in front, set PORTAL_HTTPS=true.", id="portal.W001")
    ]


@register(Tags.database)
def check_database_is_postgresql(**_: Any) -> list[CheckMessage]:
    if "postgresql" in settings.DATABASES["default"]["ENGINE"]:
        return []
    return [Error("Slipway keeps its state in PostgreSQL.", hint="Set DATABASE_URL to postgres://…", id="portal.E003")]
