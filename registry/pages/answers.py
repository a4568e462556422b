"""What a page does after a form: go on with 303, or show the form again, the input kept and the reason beside it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django_htmx.http import HttpResponseClientRedirect

from portal.lib.errors import NotAuthenticated, NotFound, PortalError

UPLOAD_SCRIPT = "XMLHttpRequest"


class SeeOther(HttpResponseRedirect):
    status_code = 303


def go(request: HttpRequest, to: Any, *args: Any, said: str = "", **kwargs: Any) -> HttpResponse:
    """Leaves a form that succeeded; htmx and the upload script are told where to go in a header."""
    if said:
        messages.success(request, said)
    url = resolve_url(to, *args, **kwargs)
    if getattr(request, "htmx", None):
        return HttpResponseClientRedirect(url)
    if request.headers.get("X-Requested-With") == UPLOAD_SCRIPT:
        return HttpResponse(status=200, headers={"X-Location": url})
    return SeeOther(url)


def blame(form: Form, error: PortalError) -> int:
    """Puts a refusal beside the field that it names, or above the form; returns the status to answer with."""
    if isinstance(error, NotFound | NotAuthenticated):
        raise error
    field = error.details.get("field")
    form.add_error(field if field in form.fields else None, error.message)
    return error.status


def show(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, template, context, status=status)
