"""The dialogs that take a version or a model away, or bring a version back. Each says first who uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import PortalError
from portal.lib.texts import MAX_REASON
from registry import selectors
from registry.access import policy
from registry.models import ModelVersion
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.services import deletion
from registry.services.usage import Use, aliases_of, users_of, worth_telling


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=MAX_REASON,
        help_text=gettext_lazy("Goes to the audit trail, for whoever asks later."),
        widget=forms.Textarea({"class": "textarea", "rows": 2, "autofocus": ""}),
    )


def _carried_out(request: PageRequest, act: Callable[[str], Any], form: ReasonForm) -> int:
    """The status to show the form with again, or 0 once it is done."""
    if request.method != "POST":
        return 200
    if not form.is_valid():
        return 400
    try:
        act(form.cleaned_data["reason"])
    except PortalError as error:
        return blame(form, error)
    return 0


def _form(request: PageRequest) -> ReasonForm:
    return ReasonForm(request.POST if request.method == "POST" else None)


def _users_of(version: ModelVersion) -> list[Use]:
    return worth_telling([*users_of([version.pk]), *aliases_of([version.pk])])


def _refusal(check: Callable[[], None]) -> str:
    """What the act would be refused with as things stand, in the words of the service; empty where it would not."""
    try:
        check()
    except PortalError as error:
        return error.message
    return ""


def _dialog(
    request: PageRequest, form: ReasonForm, template: str, status: int, facts: dict[str, Any], *, refusal: str = ""
) -> HttpResponse:
    """Where it is certain that the act would be refused, the form says why and cannot be sent.

    After it was sent and refused it can be sent again: the reason may be gone by then.
    """
    refused = bool(refusal or facts.get("uses")) and not form.is_bound
    return show(request, template, {"form": form, "refusal": refusal, "refused": refused, **facts}, status)


def _of(version: ModelVersion) -> dict[str, Any]:
    return {"version": version, "model": version.model}


@page(GET="version.archive", POST="version.archive")
def archive(request: PageRequest, name: str, number: int) -> HttpResponse:
    found = selectors.get_version(request.principal, name, number)
    policy.require(request.principal, "version.archive", found.model.project_id)
    form = _form(request)
    status = _carried_out(request, lambda why: deletion.archive_version(request.principal, found, reason=why), form)
    if not status:
        return go(request, "version", name, number, said=_("Version %(n)s is archived.") % {"n": number})
    refusal = _refusal(lambda: deletion.check_archivable(found))
    facts = {**_of(found), "uses": [] if refusal else _users_of(found)}
    return _dialog(request, form, "registry/version_archive.html", status, facts, refusal=refusal)


@page(GET="version.archive", POST="version.archive")
def restore(request: PageRequest, name: str, number: int) -> HttpResponse:
    found = selectors.get_version(request.principal, name, number)
    policy.require(request.principal, "version.archive", found.model.project_id)
    form = _form(request)
    status = _carried_out(request, lambda why: deletion.restore_version(request.principal, found, reason=why), form)
    if not status:
        return go(request, "version", name, number, said=_("Version %(n)s is ready again.") % {"n": number})
    refusal = _refusal(lambda: deletion.check_restorable(found))
    return _dialog(request, form, "registry/version_restore.html", status, _of(found), refusal=refusal)


@page(GET="version.delete", POST="version.delete")
def delete_version(request: PageRequest, name: str, number: int) -> HttpResponse:
    found = selectors.get_version(request.principal, name, number)
    policy.require(request.principal, "version.delete", found.model.project_id)
    form = _form(request)
    status = _carried_out(request, lambda why: deletion.delete_version(request.principal, found, reason=why), form)
    if not status:
        return go(request, "model", name, said=_("Version %(n)s is deleted.") % {"n": number})
    facts = {**_of(found), "uses": _users_of(found)}
    return _dialog(request, form, "registry/version_delete.html", status, facts)


@page(GET="model.delete", POST="model.delete")
def delete_model(request: PageRequest, name: str) -> HttpResponse:
    found = selectors.get_model(request.principal, name)
    policy.require(request.principal, "model.delete", found.project_id)
    form = _form(request)
    status = _carried_out(request, lambda why: deletion.delete_model(request.principal, found, reason=why), form)
    if not status:
        return go(request, "models", said=_("“%(name)s” is deleted, and its name is free.") % {"name": name})
    versions = list(selectors.versions_of(found))
    facts = {
        "model": found,
        "n_versions": len(versions),
        "n_bytes": sum(version.size for version in versions),
        "uses": worth_telling(users_of([version.pk for version in versions], [found.pk])),
    }
    return _dialog(request, form, "registry/model_delete.html", status, facts)
