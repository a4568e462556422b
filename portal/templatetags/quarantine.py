"""What the pages of a version and of an endpoint show of a quarantine."""

from __future__ import annotations

from typing import Any

from django import template

from inference.endpoints.moves import WantedShare, check_free, check_ready
from inference.endpoints.switching import STABLE
from inference.models import Endpoint, Quarantine
from inference.pages.arms import arms_of
from inference.selectors.quarantines import quarantine_of, quarantines_at
from portal.lib.errors import Conflict
from registry.access import policy
from registry.models import ModelVersion
from registry.trust_selectors import refusal_of, why

register = template.Library()
NOTICE = "inference/_quarantine_notice.html"


@register.simple_tag
def traffic_refusal(version: ModelVersion) -> str:
    """Why it cannot take traffic, in the words of the services that would refuse; empty where it can."""
    wanted = [WantedShare(STABLE, version, 10_000)]
    try:
        check_ready(wanted)
        check_free(wanted)
    except Conflict as error:
        return error.message
    return ""


@register.inclusion_tag(NOTICE, takes_context=True)
def version_quarantine(context: dict[str, Any], version: ModelVersion) -> dict[str, Any]:
    """A notice when the version is locked away, else nothing."""
    row = quarantine_of(version)
    return _notice(context, [row] if row else [], set())


@register.inclusion_tag("registry/_tampered_notice.html")
def version_tampered(version: ModelVersion) -> dict[str, Any]:
    """A notice when loads of the version are refused, else nothing."""
    refusal = refusal_of(version)
    return {"version": version, "refusal": refusal, "sentence": why(refusal) if refusal else ""}


@register.inclusion_tag(NOTICE, takes_context=True)
def endpoint_quarantines(context: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """A notice for each quarantined version that the endpoint serves or has served."""
    live = {arm.version for arm in arms_of(endpoint.live_split) if arm.weight_bp}
    return _notice(context, list(quarantines_at(endpoint)), live)


def _notice(context: dict[str, Any], rows: list[Quarantine], live: set[int]) -> dict[str, Any]:
    principal = context["request"].principal
    notices = [
        {
            "row": row,
            "version": row.version,
            "live": row.version.number in live,
            "may_release": policy.can(principal, "version.release", row.version.model.project_id),
        }
        for row in rows
    ]
    return {"notices": notices}
