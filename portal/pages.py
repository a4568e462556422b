"""The pages that belong to no app: home, the palette and the theme switch."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from portal import palette
from portal.context import THEME_COOKIE, THEMES
from portal.home import first_steps, lately, my_versions, needs_me, newest_endpoints, newest_models
from registry.pages.access import PageRequest, page
from registry.pages.answers import SeeOther
from registry.pages.selectors_pages import asked
from registry.pages.versions import UNDECIDED

ONE_YEAR = 365 * 24 * 3600


@page(GET="model.view")
def home(request: PageRequest) -> HttpResponse:
    principal = request.principal
    steps, mine = first_steps(principal), my_versions(principal)
    context = {
        "items": needs_me(principal),
        "steps": steps,
        "next_step": next((step for step in steps if not step.done), None),
        "models": newest_models(principal),
        "endpoints": newest_endpoints(principal),
        "lately": lately(principal),
        "mine": mine,
        "undecided": any(version.status in UNDECIDED for version in mine),
    }
    return render(request, "portal/home.html", context)


@page(GET="model.view")
def find(request: PageRequest) -> HttpResponse:
    """The palette: the content of a dialog, the list that htmx asks for while one types, or a page of its own."""
    text = asked(request, "q")
    return render(request, "portal/find.html", {"text": text, "found": palette.find(request.principal, text)})


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remembers the theme in a cookie, so that the server renders it and nothing flashes."""
    chosen = request.POST.get("theme", "")
    back = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    answer = SeeOther(back)
    if chosen in THEMES:
        answer.set_cookie(
            THEME_COOKIE, chosen, max_age=ONE_YEAR, samesite="Lax", secure=request.is_secure(), httponly=True
        )
    return answer


theme.actions = {"POST": ""}  # type: ignore[attr-defined]  # Anybody may, also before signing in.
