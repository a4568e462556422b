"""Which processes serve, and how far each has followed the routing. The request path reads none of this."""

from __future__ import annotations

import uuid

from django.db import models

from registry.models import ModelVersion


class RoutingState(models.Model):
    """The single row whose `sequence` numbers each change of routing. Its lock makes commit order = sequence order."""

    sequence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.sequence)


class ServingProcess(models.Model):
    """One process that answers predictions. It has taken every change up to `acknowledged`.

    While `lease_expires_at` lies ahead the process may answer from memory; a writer waits for every such process.
    `failures` maps a version id to the sentence why it could not be loaded here. `sessions` lists what is loaded:
    `{"sha256", "memory_bytes", "runs", "last_used" (epoch seconds), "isolated", "restarts"}`.
    `counted_at` is when it last wrote down what it had counted, also if that was nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(auto_now_add=True)
    acknowledged = models.BigIntegerField(default=0)
    lease_expires_at = models.DateTimeField(db_index=True)
    failures = models.JSONField(default=dict)
    n_sessions = models.PositiveIntegerField(default=0)
    session_bytes = models.BigIntegerField(default=0)
    sessions = models.JSONField(default=list)
    memory_bytes = models.BigIntegerField(default=0)
    counted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.host} {self.pid}"


class WarmRequest(models.Model):
    """Asks every serving process to load a version before traffic is switched to it."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE)
    sequence = models.BigIntegerField(db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.version} · {self.sequence}"
