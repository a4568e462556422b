"""One delivery by e-mail, in plain text. What needs the database is read first, so that it may run in a thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.utils.translation import gettext as _

from registry.models import Delivery, Notification, User
from registry.notifications.events import EVENTS
from registry.notifications.outcome import DELIVERED, Outcome, hopeless


def prepare(delivery: Delivery, user: User) -> Callable[[], Outcome]:
    """Returns what sends it; that touches no database. Who has left the project meanwhile gets nothing."""
    notification = delivery.notification
    if not settings.PORTAL_EMAIL_CONFIGURED:
        return lambda: hopeless(_("No mail server is set: set PORTAL_EMAIL_URL."))
    if not _may_read(user, notification.project_id) or not user.email:
        return lambda: hopeless(_("The person is no active member any more, or has no e-mail address."))
    subject, text, address = _subject(notification), _text(notification), user.email
    return lambda: _send(subject, text, address)


def _may_read(user: User, project_id: int) -> bool:
    return user.is_active and (user.is_superuser or user.memberships.filter(project_id=project_id).exists())


def _subject(notification: Notification) -> str:
    return f"[Slipway: {notification.project.slug}] {notification.subject}"


def _text(notification: Notification) -> str:
    """The sentence first, then the facts as JSON, then why this came."""
    what = EVENTS.get(notification.event, notification.event)
    facts = json.dumps(notification.body, indent=2, ensure_ascii=False)
    footer = _("You get this because you subscribed to this project at /webhooks; unsubscribe there.")
    when = f"{notification.event}, {notification.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{notification.subject}\n\n{what} ({when}).\n\n{facts}\n\n-- \n{footer}\n"


def _send(subject: str, text: str, address: str) -> Outcome:
    try:
        send_mail(subject, text, None, [address])
    except (OSError, SMTPException, ValueError) as error:
        return Outcome(False, error=_("The mail server refused: %(reason)s.") % {"reason": type(error).__name__})
    return DELIVERED
