"""Trying a version from its page: a form made from its signature and manifest, or a whole request body."""

from __future__ import annotations

from django.http import HttpResponse

from inference.pages.described import described
from inference.pages.try_form import BodyForm, TryForm
from inference.pages.try_result import decode_body, run
from portal.lib.errors import InvalidInput, PortalError
from registry import selectors
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import show


@page(GET="endpoint.predict", POST="endpoint.predict")
def try_version(request: PageRequest, name: str, number: int) -> HttpResponse:
    version = selectors.get_version(request.principal, name, number)
    policy.require(request.principal, "endpoint.predict", version.model.project_id)
    about = described(version)
    pasted = "body" in request.POST
    form = TryForm(about, request.POST if request.method == "POST" and not pasted else None)
    body_form = BodyForm(request.POST if pasted else None)
    result, status = None, 200
    asked = body_form if pasted else form
    if request.method == "POST" and asked.is_valid():
        try:
            inputs = decode_body(about, asked.cleaned_data["body"].encode()) if pasted else form.inputs()
            result = run(version, inputs)
        except PortalError as error:
            asked.add_error("body" if pasted else None, error.message)
            status = error.status
    elif request.method == "POST":
        status = InvalidInput.status
    template = "inference/_try.html" if request.htmx else "inference/try.html"
    context = {"version": version, "model": version.model, "form": form, "body_form": body_form, "result": result}
    return show(request, template, {**context, "try_form": form}, status)
