"""The record of who did what, when and why: append-only, each row chained to the one before it by an HMAC."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from registry.models.access import Project


class AuditEvent(models.Model):
    """One act. The database itself refuses to change or delete a row (see the migration's trigger).

    The actor's and the object's names are copied, so that the record stays readable after either is gone.
    """

    at = models.DateTimeField()
    action = models.CharField(max_length=64, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    token_prefix = models.CharField(max_length=16, blank=True)
    project = models.ForeignKey(Project, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    object_type = models.CharField(max_length=32)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=300)
    reason = models.TextField(blank=True)
    details = models.JSONField(default=dict)
    request_id = models.CharField(max_length=128, blank=True)
    mac = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_by_object")]

    def __str__(self) -> str:
        return f"{self.id} {self.action} {self.object_name}"


class AuditHead(models.Model):
    """The single row that names the newest event: its lock keeps the chain linear, its values show a cut-off tail."""

    n_events = models.BigIntegerField(default=0)
    last_event_id = models.BigIntegerField(default=0)
    mac = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.n_events} events"
