"""Questions about notifications. Every one takes the caller and answers only from what he may see."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from portal.lib.errors import NotAllowed, NotFound
from registry.access import policy
from registry.access.principal import Principal
from registry.models import Delivery, EmailSubscription, Project, Webhook


def permit(principal: Principal, action: str, project_id: int) -> None:
    """As `policy.require`; a token that is limited to endpoints is refused, as webhooks hear of every endpoint."""
    policy.require(principal, action, project_id)
    if principal.endpoints is not None:
        raise NotAllowed(_("A token that is limited to endpoints cannot see or change webhooks."))


def _own(principal: Principal, path: str = "project_id") -> Q:
    """What lies in the projects whose webhooks the caller may see."""
    if principal.endpoints is not None or not policy.has_scope(principal, "webhook.view"):
        return Q(pk__in=[])
    if principal.is_superuser:
        return Q()
    return Q(**{f"{path}__in": [pk for pk in principal.roles if policy.can(principal, "webhook.view", pk)]})


def projects_for(principal: Principal) -> QuerySet[Project]:
    return Project.objects.filter(_own(principal, "pk"))


def get_project(principal: Principal, slug: str) -> Project:
    """Raises NotFound for a project that one may not see; whether one owns it is the service's question."""
    project = Project.objects.filter(policy.visible(principal, "pk"), slug=slug).first()
    if project is None:
        raise NotFound(_("There is no project “%(slug)s”, or you are no member.") % {"slug": slug})
    return project


def webhooks_for(principal: Principal) -> QuerySet[Webhook]:
    return Webhook.objects.filter(_own(principal)).select_related("project", "created_by")


def get_webhook(principal: Principal, webhook_id: int) -> Webhook:
    webhook = Webhook.objects.select_related("project", "created_by").filter(pk=webhook_id).first()
    if webhook is None or not policy.can_see_project(principal, webhook.project_id):
        raise NotFound(_("There is no such webhook, or you may not see it."))
    permit(principal, "webhook.view", webhook.project_id)
    return webhook


def deliveries_of(webhook: Webhook) -> QuerySet[Delivery]:
    return Delivery.objects.filter(webhook=webhook).select_related("notification").order_by("-pk")


def get_delivery(principal: Principal, delivery_id: int) -> Delivery:
    """A delivery to a webhook: e-mails are between the portal and their reader."""
    rows = Delivery.objects.select_related("webhook__project", "notification")
    delivery = rows.filter(pk=delivery_id, webhook__isnull=False).first()
    if delivery is None or not policy.can_see_project(principal, delivery.notification.project_id):
        raise NotFound(_("There is no such delivery, or you may not see it."))
    permit(principal, "webhook.view", delivery.notification.project_id)
    return delivery


def subscriptions_of(principal: Principal) -> dict[int, EmailSubscription]:
    """The caller's own subscriptions by project."""
    rows = EmailSubscription.objects.filter(user_id=principal.user_id or 0)
    return {row.project_id: row for row in rows}


def is_email_configured() -> bool:
    return bool(settings.PORTAL_EMAIL_CONFIGURED)
