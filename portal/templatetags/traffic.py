"""What the live part of an endpoint's page says in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inference.models import Endpoint
from inference.pages.arms import Arm
from portal.lib.words import NARROW, number, seconds
from portal.templatetags.serving import call_snippets
from portal.templatetags.ui import badge
from registry.models import ModelVersion

register = template.Library()


@register.simple_tag
def endpoint_badge(endpoint: Endpoint, arms: Iterable[Arm]) -> SafeString:
    """What an endpoint does now, `arms` being those of its live split."""
    n_live = sum(arm.weight_bp > 0 for arm in arms)
    serving = "idle" if not n_live else "splitting" if n_live > 1 else "serving"
    return badge("unloaded" if endpoint.unloaded_at else serving)


@register.filter
def per_second(value: float) -> str:
    """1234.4 -> 1 234; 12.34 -> 12.3; 0.04 -> 0.04."""
    if value >= 99.95:
        return number(round(value))
    return f"{value:.1f}" if value >= 1 or not value else f"{value:.2g}"


@register.filter
def error_percent(share: float | None) -> str:
    """At least two significant digits of what is small, and never 0 for what is not."""
    if share is None:
        return "–"
    percent = share * 100
    text = (
        "0" if not percent else "< 0.01" if percent < 0.01 else f"{percent:.1f}" if percent >= 1 else f"{percent:.2g}"
    )
    return f"{text}{NARROW}%"


@register.simple_tag(takes_context=True)
def first_call(context: dict[str, Any], endpoint: Endpoint, version: ModelVersion) -> str:
    """The curl line that makes the endpoint answer."""
    return call_snippets(context, endpoint, version, False)["snippets"].curl


@register.filter
def deadline(endpoint: Endpoint) -> str:
    return seconds(endpoint.deadline_ms / 1000)


@register.filter
def batching(endpoint: Endpoint) -> str:
    if endpoint.batch_size is None:
        return _("as measured at validation")
    if endpoint.batch_size <= 1:
        return _("off")
    rows = ngettext("up to %(n)s row", "up to %(n)s rows", endpoint.batch_size)
    return rows % {"n": number(endpoint.batch_size)}


@register.filter
def batch_delay(endpoint: Endpoint) -> str:
    return seconds(endpoint.batch_delay_us / 1_000_000) if endpoint.batch_delay_us else _("none")
