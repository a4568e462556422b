"""Making, changing and removing webhooks. Each act stands in the audit record, without the secret."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, InvalidInput, NotFound
from portal.lib.texts import check_reason
from registry.access.principal import Principal
from registry.models import Project, Webhook
from registry.notifications import addresses
from registry.notifications.events import EVENTS
from registry.notifications.sealing import new_secret, seal
from registry.notifications.selectors import permit
from registry.services import audit

MOST_OF_A_PROJECT = 50
MAX_DESCRIPTION = 300


def create_webhook(
    principal: Principal, project: Project, *, url: str, events: list[str] | None = None, description: str = ""
) -> tuple[Webhook, str]:
    """Returns the row and the signing secret, which is shown this once only."""
    permit(principal, "webhook.manage", project.pk)
    facts = _checked({"url": url, "events": events or [], "description": description})
    secret = new_secret()
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if Webhook.objects.filter(project=project).count() >= MOST_OF_A_PROJECT:
            raise Conflict(_("This project has %(n)s webhooks: delete one first.") % {"n": MOST_OF_A_PROJECT})
        webhook = Webhook.objects.create(project=project, secret=seal(secret), created_by_id=principal.user_id, **facts)
        audit.record(principal, "webhook.created", webhook, project_id=project.pk, details=_details(webhook))
    return webhook, secret


def change_webhook(principal: Principal, webhook: Webhook, changes: dict[str, Any]) -> Webhook:
    """`changes` may hold url, events, description and is_active; whatever it does not name stays."""
    permit(principal, "webhook.manage", webhook.project_id)
    facts = _checked(changes)
    with transaction.atomic():
        locked = _locked(webhook)
        if facts.get("is_active", locked.is_active) != locked.is_active:
            facts["disabled_at"] = None if facts["is_active"] else timezone.now()
        Webhook.objects.filter(pk=locked.pk).update(**facts)
        locked.refresh_from_db()
        audit.record(principal, "webhook.changed", locked, project_id=locked.project_id, details=_details(locked))
    return locked


def delete_webhook(principal: Principal, webhook: Webhook, *, reason: str) -> None:
    """Removes it with its log of deliveries; the audit record keeps that it was there."""
    permit(principal, "webhook.manage", webhook.project_id)
    check_reason(reason)
    with transaction.atomic():
        locked = _locked(webhook)
        audit.record(principal, "webhook.deleted", locked, project_id=locked.project_id, reason=reason.strip())
        locked.delete()


def _locked(webhook: Webhook) -> Webhook:
    locked = Webhook.objects.select_for_update(of=("self",)).select_related("project").filter(pk=webhook.pk).first()
    if locked is None:
        raise NotFound(_("There is no such webhook, or you may not see it."))
    return locked


def _checked(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as they are stored. Raises InvalidInput."""
    checked = dict(facts)
    if "url" in facts:
        addresses.check(facts["url"])
    if "events" in facts:
        checked["events"] = check_events(facts["events"])
    if len(facts.get("description", "")) > MAX_DESCRIPTION:
        sentence = _("Describe it in at most %(n)s characters.") % {"n": MAX_DESCRIPTION}
        raise InvalidInput(sentence, details={"field": "description"})
    return checked


def check_events(events: list[str]) -> list[str]:
    """The names sorted, each once; all of them are stored as none, so that events of later releases are in it."""
    unknown = sorted(set(events) - set(EVENTS))
    if unknown:
        sentence = _("There is no event “%(name)s”. Choose among: %(known)s.")
        names = {"name": unknown[0][:64], "known": ", ".join(EVENTS)}
        raise InvalidInput(sentence % names, code="unknown_event", details={"field": "events", "unknown": unknown})
    return [] if set(events) == set(EVENTS) else sorted(set(events))


def _details(webhook: Webhook) -> dict[str, Any]:
    return {"events": webhook.events, "is_active": webhook.is_active, "description": webhook.description}
