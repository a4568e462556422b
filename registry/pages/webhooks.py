"""Webhooks and one's own e-mails: made, tried, sent again, switched off, removed."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, PortalError
from registry.models import Delivery, DeliveryState, Webhook
from registry.notifications import replay as replaying
from registry.notifications import selectors, subscriptions
from registry.notifications import webhooks as service
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.selectors_pages import page_of
from registry.pages.webhook_forms import ActiveForm, DeleteForm, EmailForm, WebhookForm


def _show(request: PageRequest, form: WebhookForm, status: int = 200, **more: Any) -> HttpResponse:
    mine = selectors.subscriptions_of(request.principal)
    projects = selectors.projects_for(request.principal)
    context = {
        "form": form,
        "page": page_of(request, selectors.webhooks_for(request.principal)),
        "projects": [(project, project.pk in mine) for project in projects],
        "email_configured": selectors.is_email_configured(),
    }
    return show(request, "registry/webhooks.html", {**context, **more}, status)


@page(GET="webhook.view", POST="webhook.manage")
def webhooks(request: PageRequest) -> HttpResponse:
    """The secret is in the answer to the POST and nowhere else, so this one form does not redirect."""
    projects = list(selectors.projects_for(request.principal))
    if request.method == "GET":
        return _show(request, WebhookForm(projects=projects))
    form = WebhookForm(request.POST, projects=projects)
    if not form.is_valid():
        return _show(request, form, 400)
    try:
        made, secret = _create(request, dict(form.cleaned_data))
    except PortalError as error:
        return _show(request, form, blame(form, error))
    answer = _show(request, WebhookForm(projects=projects), secret=secret, created=made)
    answer["Cache-Control"] = "no-store"
    return answer


def _create(request: PageRequest, data: dict[str, Any]) -> tuple[Webhook, str]:
    project = selectors.get_project(request.principal, data.pop("project"))
    return service.create_webhook(request.principal, project, **data)


def _log(request: PageRequest, webhook: Webhook) -> dict[str, Any]:
    rows = selectors.deliveries_of(webhook)
    pending = rows.filter(state=DeliveryState.PENDING).exists()
    return {"webhook": webhook, "page": page_of(request, rows), "pending": pending}


@page(GET="webhook.view")
def webhook(request: PageRequest, webhook_id: int) -> HttpResponse:
    found = selectors.get_webhook(request.principal, webhook_id)
    return show(request, "registry/webhooks_one.html", _log(request, found))


@page(GET="webhook.view")
def deliveries(request: PageRequest, webhook_id: int) -> HttpResponse:
    """The log alone, for its live part."""
    found = selectors.get_webhook(request.principal, webhook_id)
    return show(request, "registry/webhooks_log.html", _log(request, found))


@page(POST="webhook.manage")
def test(request: PageRequest, webhook_id: int) -> HttpResponse:
    found = selectors.get_webhook(request.principal, webhook_id)
    replaying.send_test(request.principal, found)
    return go(request, "webhook", found.pk, said=_("A test is on its way."))


@page(POST="webhook.manage")
def set_active(request: PageRequest, webhook_id: int) -> HttpResponse:
    found = selectors.get_webhook(request.principal, webhook_id)
    is_active = _state(ActiveForm(request.POST))
    service.change_webhook(request.principal, found, {"is_active": is_active})
    said = _("The webhook is enabled.") if is_active else _("The webhook is disabled: it is told of nothing.")
    return go(request, "webhook", found.pk, said=said)


def _state(form: ActiveForm | EmailForm) -> bool:
    if not form.is_valid():
        raise InvalidInput(_("Say “on” or “off” in the field “state”."), details={"field": "state"})
    return bool(form.cleaned_data["state"] == "on")


@page(GET="webhook.manage", POST="webhook.manage")
def delete(request: PageRequest, webhook_id: int) -> HttpResponse:
    found = selectors.get_webhook(request.principal, webhook_id)
    form = DeleteForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            service.delete_webhook(request.principal, found, **form.cleaned_data)
            return go(request, "webhooks", said=_("The webhook is deleted."))
    return show(request, "registry/webhooks_delete.html", {"form": form, "webhook": found}, status)


@page(POST="webhook.manage")
def replay(request: PageRequest, delivery_id: int) -> HttpResponse:
    found: Delivery = selectors.get_delivery(request.principal, delivery_id)
    again = replaying.replay(request.principal, found)
    return go(request, "webhook", again.webhook_id, said=_("It is sent again, as a delivery of its own."))


@page(POST="webhook.manage")
def email(request: PageRequest) -> HttpResponse:
    """Switches one's own e-mails of a project on or off."""
    form = EmailForm(request.POST)
    is_on = _state(form)
    project = selectors.get_project(request.principal, form.cleaned_data["project"])
    if is_on:
        subscriptions.subscribe(request.principal, project)
        return go(request, "webhooks", said=_("You get this project's events by e-mail."))
    subscriptions.unsubscribe(request.principal, project)
    return go(request, "webhooks", said=_("You get no more e-mails about this project."))
