"""What the registry's pages show of serving. The tags stand here, in the wiring, as the registry may not know of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inference.models import Endpoint
from inference.pages import selectors_pages
from inference.pages.arms import Place, arms_at
from inference.pages.described import described
from inference.pages.snippets import snippets
from inference.pages.try_form import TryForm
from portal.lib.words import number
from portal.templatetags.ui import icon
from registry.models import AuditEvent, ModelVersion, RegisteredModel
from registry.pages.facts import fact_lines

register = template.Library()


@register.filter
def at(mapping: dict[Any, list[Any]], key: Any) -> list[Any]:
    return mapping.get(key, [])


@register.simple_tag(takes_context=True)
def endpoints_by_model(context: dict[str, Any], models: Iterable[RegisteredModel]) -> dict[int, list[Endpoint]]:
    return selectors_pages.endpoints_of(context["request"].principal, models)


@register.simple_tag(takes_context=True)
def endpoints_of(context: dict[str, Any], model: RegisteredModel) -> list[Endpoint]:
    return endpoints_by_model(context, [model]).get(model.pk, [])


@register.simple_tag
def arms_by_version(versions: Iterable[ModelVersion]) -> dict[int, list[Place]]:
    return arms_at(versions)


@register.simple_tag
def arms_of(version: ModelVersion) -> list[Place]:
    return arms_at([version]).get(version.pk, [])


@register.inclusion_tag("components/_call.html", takes_context=True)
def call_snippets(
    context: dict[str, Any], endpoint: Endpoint, version: ModelVersion, pinned: bool = True
) -> dict[str, Any]:
    lines = snippets(context["origin"], endpoint.slug, described(version), version.number if pinned else None)
    return {"snippets": lines, "endpoint": endpoint, "pinned": pinned}


@register.inclusion_tag("inference/_faults.html")
def manifest_faults(version: ModelVersion) -> dict[str, Any]:
    """What of its manifest does not fit what validation found."""
    return {"travels": described(version).travels if version.signature else None}


@register.inclusion_tag("inference/_try.html", takes_context=True)
def try_form(context: dict[str, Any], version: ModelVersion) -> dict[str, Any]:
    form = context.get("try_form") or TryForm(described(version))
    return {"request": context["request"], "form": form, "version": version, "result": context.get("result")}


@register.filter
def shown_facts(facts: dict[str, Any] | None) -> list[tuple[Any, str]]:
    """What is known of the file, as (label, text)."""
    return fact_lines(facts or {})


FORM_TAGS = ("features", "classes", "example")


MLFLOW = "mlflow."


@register.filter
def shown_tags(tags: dict[str, str]) -> list[tuple[str, str]]:
    """What people said: neither tags that only shape the Try-it form nor what MLflow's client keeps for itself."""
    return sorted((key, value) for key, value in tags.items() if key not in FORM_TAGS and not key.startswith(MLFLOW))


@register.filter
def mlflow_tags(tags: dict[str, str]) -> list[tuple[str, str]]:
    """What MLflow's client keeps for itself, without the prefix that it all has."""
    return sorted((key.removeprefix(MLFLOW), value) for key, value in tags.items() if key.startswith(MLFLOW))


@register.filter
def metric(value: float) -> str:
    """At most four significant decimals."""
    return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1000 else number(round(value))


AUDIT_ICONS = {
    "endpoint.promoted": ("rocket", ""),
    "endpoint.split_changed": ("split", ""),
    "endpoint.rolled_back": ("undo-2", ""),
    "endpoint.fell_back": ("undo-2", "is-warn"),
    "endpoint.loaded": ("power", ""),
    "endpoint.unloaded": ("power-off", ""),
    "version.rejected": ("octagon-x", ""),
    "version.ready": ("circle-check", ""),
    "version.quarantined": ("shield-alert", "is-bad"),
    "version.released": ("shield-check", ""),
    "version.proven": ("shield-check", ""),
    "version.tampered": ("shield-alert", "is-bad"),
}
AUDIT_KINDS = {
    "model": "box",
    "version": "file-box",
    "alias": "tag",
    "endpoint": "waypoints",
    "rollout": "milestone",
    "experiment": "flask-conical",
    "replay": "rotate-ccw",
    "webhook": "webhook",
    "delivery": "send",
    "subscription": "mail",
    "job": "list-checks",
    "token": "key-round",
}


@register.simple_tag
def audit_icon(action: str) -> SafeString:
    name, extra = AUDIT_ICONS.get(action, (AUDIT_KINDS.get(action.partition(".")[0], "circle-dot"), ""))
    return icon(name, f"icon-s {extra}".strip())


@register.simple_tag
def audit_object(event: AuditEvent) -> SafeString:
    """The object's name, with a link to its page where it has one."""
    url = _page_of(event.object_type, event.object_id, event.object_name)
    short = f"{event.object_name[:8]}…" if event.object_type == "BatchJob" else event.object_name
    name = format_html("<bdi>{}</bdi>", short)
    return format_html('<a href="{}">{}</a>', url, name) if url else name


def _page_of(kind: str, object_id: str, name: str) -> str:
    """The address of an audited object; empty for what has no page. Names are as they were at the time."""
    if kind == "Endpoint":
        return reverse("endpoint", args=[name])
    if kind == "RegisteredModel":
        return reverse("model", args=[name])
    if kind == "Rollout":
        return reverse("rollout", args=[object_id])
    if kind == "BatchJob":
        return reverse("job", args=[object_id])
    model, _space, number = name.rpartition(" v")
    return reverse("version", args=[model, int(number)]) if kind == "ModelVersion" and number.isdecimal() else ""
