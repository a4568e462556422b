"""What every page needs: the theme that the cookie remembers, the rail with its current entry, the outer layout."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from inference.selectors.rollouts import count_live
from registry.models import User

THEME_COOKIE = "theme"
THEMES = ("auto", "light", "dark")
DIALOG_TARGET = "dialog-body"


class Place(NamedTuple):
    """An entry of the rail. `also` are beginnings of further addresses that belong to it."""

    name: str
    label: object
    icon: str
    also: tuple[str, ...] = ()


PLACES = (
    Place("home", _("Home"), "house"),
    Place("models", _("Models"), "box"),
    Place("endpoints", _("Endpoints"), "waypoints", ("/experiments/", "/replays/")),
    Place("rollouts", _("Rollouts"), "milestone"),
    Place("jobs", _("Jobs"), "list-checks"),
    Place("sessions", _("Serving"), "server"),
    Place("audit", _("Audit"), "scroll-text"),
)


def theme_of(request: HttpRequest) -> str:
    theme = request.COOKIES.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


def rail(path: str, counts: dict[str, int]) -> list[dict[str, Any]]:
    """The places with their addresses; `current` marks the one whose address the path begins with."""
    entries = []
    for place in PLACES:
        url = reverse(place.name)
        current = path == url or (url != "/" and path.startswith((url + "/", *place.also)))
        count = counts.get(place.name, 0)
        entries.append({"url": url, "label": place.label, "icon": place.icon, "current": current, "count": count})
    return entries


def live_counts(request: HttpRequest) -> dict[str, int]:
    """What runs now, by place. The page that tells of a broken database is rendered too, and then nothing is known."""
    # The API's own page has a token's holder there, or nobody.
    if not isinstance(getattr(request, "user", None), User):
        return {}
    try:
        with transaction.atomic():
            return {"rollouts": count_live(request.principal)}  # type: ignore[attr-defined]
    except DatabaseError:
        return {}


def origin(request: HttpRequest) -> str:
    """Where the snippets point. The page that refuses a wrong Host is rendered too, and then there is none to trust."""
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return ""


def portal(request: HttpRequest) -> dict[str, Any]:
    """`layout` is the bare dialog when htmx asks for the content of one, else the whole page."""
    htmx = getattr(request, "htmx", None)
    in_dialog = htmx is not None and bool(htmx) and htmx.target == DIALOG_TARGET
    return {
        "theme": theme_of(request),
        "rail": [] if htmx else rail(request.path, live_counts(request)),
        "layout": "dialog.html" if htmx else "base.html",
        "in_dialog": in_dialog,
        "origin": origin(request),
    }
