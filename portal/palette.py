"""What the palette (Ctrl-K) finds: places, acts, and what bears the name that was typed."""

from __future__ import annotations

from typing import NamedTuple

from django.urls import reverse
from django.utils.translation import gettext as _

from inference.pages.selectors_pages import endpoints_list, jobs_list, rollouts_list
from portal.context import PLACES
from registry.access.principal import Principal
from registry.pages.selectors_pages import models_list

MOST_OF_A_KIND = 5


class Found(NamedTuple):
    icon: str
    kind: str
    name: str
    note: str
    url: str


def find(principal: Principal, text: str) -> list[Found]:
    """Names first, as somebody who types usually looks for one; without text the places and acts."""
    kinds = (_models, _endpoints, _rollouts, _jobs)
    named = [item for ask in kinds for item in ask(principal, text)] if text else []
    return [*named, *(item for item in _acts() if text.lower() in item.name.lower())]


def _models(principal: Principal, text: str) -> list[Found]:
    rows = models_list(principal, text, "name")[:MOST_OF_A_KIND]
    return [Found("box", _("Model"), row.name, "", reverse("model", args=[row.name])) for row in rows]


def _endpoints(principal: Principal, text: str) -> list[Found]:
    rows = endpoints_list(principal, text, "slug")[:MOST_OF_A_KIND]
    kind = _("Endpoint")
    return [Found("waypoints", kind, row.slug, row.model.name, reverse("endpoint", args=[row.slug])) for row in rows]


def _rollouts(principal: Principal, text: str) -> list[Found]:
    rows = rollouts_list(principal, "", text, "-pk")[:MOST_OF_A_KIND]
    return [
        Found("milestone", _("Rollout"), str(row), row.get_state_display(), reverse("rollout", args=[row.pk]))
        for row in rows
    ]


def _jobs(principal: Principal, text: str) -> list[Found]:
    rows = jobs_list(principal, "", text, "-created_at")[:MOST_OF_A_KIND]
    return [
        Found("list-checks", _("Job"), row.file_name or str(row.pk), str(row.version), reverse("job", args=[row.pk]))
        for row in rows
    ]


def _acts() -> list[Found]:
    act, place = _("Do"), _("Go to")
    acts = [
        Found("upload", act, _("Upload a model"), "", reverse("upload")),
        Found("plus", act, _("Create an endpoint"), "", reverse("endpoints") + "#new"),
        Found("play", act, _("Start a job"), "", reverse("jobs") + "#new"),
        Found("key-round", act, _("Make an API token"), "", reverse("tokens")),
    ]
    return [*acts, *(Found(item.icon, place, str(item.label), "", reverse(item.name)) for item in PLACES)]
