"""The outbox: written with the act, for whoever wants the event."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from registry.access.principal import SYSTEM
from registry.models import Delivery, EmailSubscription, Notification, Project, User, Webhook
from registry.notifications.services import notify
from registry.notifications.webhooks import change_webhook, create_webhook
from tests import factories

pytestmark = pytest.mark.django_db
URL = "https://hooks.example.org/a"


def hook(project: Project, *events: str) -> Webhook:
    return create_webhook(SYSTEM, project, url=URL, events=list(events))[0]


def told(event: str, project: Project) -> set[Any]:
    notification = notify(project.pk, event, "Something", {})
    return {delivery.webhook or delivery.user for delivery in notification.deliveries.all()}


def subscribe(project: Project, name: str, role: str | None = "owner", **facts: Any) -> User:
    user = factories.make_user(name, role, project, **facts)
    EmailSubscription.objects.create(project=project, user=user)
    return user


def test_notify__webhooks__those_of_the_project_that_want_the_event(project: Project) -> None:
    everything, promotions = hook(project), hook(project, "endpoint.promoted")
    off = change_webhook(SYSTEM, hook(project), {"is_active": False})
    elsewhere = hook(factories.make_project("elsewhere"))
    assert told("endpoint.promoted", project) == {everything, promotions}
    assert told("rollout.started", project) == {everything}
    assert Delivery.objects.filter(webhook__in=[off, elsewhere]).count() == 0


def test_notify__subscribers__members_with_an_address_only(project: Project, settings: Any) -> None:
    settings.PORTAL_EMAIL_CONFIGURED = True
    olga = subscribe(project, "olga", email="olga@example.org")
    root = subscribe(project, "root", None, email="root@example.org", is_superuser=True)
    subscribe(project, "left", None, email="left@example.org")
    subscribe(project, "mute", email="")
    subscribe(project, "gone", email="gone@example.org", is_active=False)
    assert told("rollout.started", project) == {olga, root}


def test_notify__no_mail_server__no_delivery_for_subscribers(project: Project) -> None:
    subscribe(project, "olga", email="olga@example.org")
    assert told("rollout.started", project) == set()


def test_notify__long_subject_of_several_lines__one_short_line(project: Project) -> None:
    notification = notify(project.pk, "rollout.held", "a\r\nBcc: x@example.org\n" + "y" * 400, {"n": 1})
    assert notification.subject.startswith("a Bcc: x@example.org yyy")
    assert len(notification.subject) == 300


def test_notify__act_undone__nobody_hears_of_it(project: Project) -> None:
    hook(project)

    def act() -> None:
        with transaction.atomic():
            notify(project.pk, "rollout.started", "Something", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    assert (Notification.objects.count(), Delivery.objects.count()) == (0, 0)


def test_notify__unknown_event__error(project: Project) -> None:
    with pytest.raises(ValueError, match=r"webhook\.test"):
        notify(project.pk, "webhook.test", "Something", {})


@pytest.mark.django_db(transaction=True)
def test_notify__outside_a_transaction__error() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        notify(factories.make_project().pk, "rollout.started", "Something", {})
