"""What Django answers when no view did: JSON below the API's paths, a page elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.api import json_error
from portal.lib.errors import InvalidInput, NotAllowed, NotFound, PortalError, Unavailable

API_PATHS = ("/api/", "/ajax-api/", "/v2", "/v1/")


def _answer(request: HttpRequest, error: PortalError) -> HttpResponse:
    if request.path.startswith(API_PATHS):
        return json_error(request, error)
    return render(request, "errors/error.html", {"error": error}, status=error.status)


def store_away() -> Unavailable:
    return Unavailable(
        _("The database does not answer right now. Predictions go on; try this again in a moment."),
        code="store_away",
        retry_after=5,
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, InvalidInput(_("The request could not be read."), code="unreadable"))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, NotAllowed(_("This is not permitted.")))


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(
        request, NotAllowed(_("This form has expired: go back, reload the page and send it again."), code="csrf")
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, NotFound(_("There is no such address.")))


def server_error(request: HttpRequest, *args: Any) -> HttpResponse:
    if isinstance(sys.exception(), (OperationalError, InterfaceError)):
        return _answer(request, store_away())
    return _answer(request, PortalError(_("Something went wrong on our side. It was logged under this request's id.")))
