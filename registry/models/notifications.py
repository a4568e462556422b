"""Who is told what: webhooks and e-mail subscriptions, the outbox, and one row for each delivery to each receiver."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.models.access import Project


class DeliveryState(models.TextChoices):
    PENDING = "pending", _("Pending")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")


class Webhook(models.Model):
    """A URL that is told of a project's events by POST. `events` empty means all of them.

    `secret` holds the signing secret sealed by `registry/notifications/sealing.py`, never in plain text.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.URLField(_("URL"), max_length=500)
    secret = models.CharField(max_length=255)
    events = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    description = models.CharField(_("description"), max_length=300, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    disabled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        """Without the query, which often carries a secret of the receiver."""
        return self.url.partition("?")[0]


class EmailSubscription(models.Model):
    """A member who gets a project's events by e-mail. `events` empty means all of them."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="email_subscriptions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="email_subscriptions")
    events = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_subscription_per_member")]

    def __str__(self) -> str:
        return f"{self.user} · {self.project}"


class Notification(models.Model):
    """One event to tell, written in the transaction of the act: either both stand or neither."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="notifications")
    event = models.CharField(max_length=64)
    subject = models.CharField(max_length=300)
    body = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"


class Delivery(models.Model):
    """One notification to one receiver, a webhook or a user. `next_try_at` ends the lease while it is being sent."""

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    webhook = models.ForeignKey(Webhook, null=True, on_delete=models.CASCADE, related_name="deliveries")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=12, choices=DeliveryState, default=DeliveryState.PENDING)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["state", "next_try_at"], name="delivery_due")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(webhook=None, user__isnull=False) | models.Q(webhook__isnull=False, user=None),
                name="delivery_has_one_receiver",
            )
        ]

    def __str__(self) -> str:
        return f"{self.notification} → {self.webhook or self.user}"
