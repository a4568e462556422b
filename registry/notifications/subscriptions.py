"""One's own e-mails: on or off for a project."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from registry.access.principal import Principal
from registry.models import EmailSubscription, Project, User
from registry.notifications.selectors import is_email_configured, permit
from registry.notifications.webhooks import check_events
from registry.services import audit


def subscribe(principal: Principal, project: Project, events: list[str] | None = None) -> EmailSubscription:
    """Idempotent; a second call only changes the events. Raises Conflict where no mail could ever arrive."""
    permit(principal, "webhook.manage", project.pk)
    wanted = check_events(events or [])
    if not is_email_configured():
        raise Conflict(_("No mail server is set: ask whoever runs the portal."), code="email_not_configured")
    user = User.objects.filter(pk=principal.user_id or 0).first()
    if user is None or not user.email:
        raise Conflict(_("Your account has no e-mail address: have one entered in the back office."), code="no_email")
    with transaction.atomic():
        row, _made = EmailSubscription.objects.update_or_create(project=project, user=user, defaults={"events": wanted})
        audit.record(principal, "subscription.set", row, project_id=project.pk, details={"events": wanted})
    return row


def unsubscribe(principal: Principal, project: Project) -> None:
    """Idempotent."""
    permit(principal, "webhook.manage", project.pk)
    with transaction.atomic():
        rows = EmailSubscription.objects.select_for_update().filter(project=project, user_id=principal.user_id or 0)
        for row in rows:
            audit.record(principal, "subscription.removed", row, project_id=project.pk)
            row.delete()
