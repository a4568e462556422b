"""How every page is guarded: a signed-in person, a named action per method, nothing by default."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from registry.access.principal import Principal
from registry.models import User

View = Callable[..., HttpResponse]


class PageRequest(HttpRequest):
    """What the middlewares have made of the request by the time that a page sees it."""

    user: User
    principal: Principal
    htmx: HtmxDetails


def page(**actions: str) -> Callable[[View], View]:
    """`@page(GET="model.view", POST="model.edit")`: the methods a page answers, and the action that each of them is.

    Whether the action is permitted on the object at hand is asked by the selectors and services that the page calls;
    `actions` stays readable on the view, so that the role table can be checked against the routes.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            method = "GET" if request.method == "HEAD" else request.method
            if method not in actions:
                return HttpResponseNotAllowed(actions)
            if not request.user.is_authenticated:
                return _to_login(request)
            return view(request, *args, **kwargs)

        guarded.actions = actions  # type: ignore[attr-defined]
        return guarded

    return decorate


def _to_login(request: HttpRequest) -> HttpResponse:
    if getattr(request, "htmx", None):
        return HttpResponseClientRedirect(resolve_url(settings.LOGIN_URL))
    return redirect_to_login(request.get_full_path())
