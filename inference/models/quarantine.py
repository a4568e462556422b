"""Versions that killed the process they ran in, and those that may not run any more because of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models import ModelVersion


class RuntimeDeath(models.Model):
    """One process that ended while it ran this version. `key` names the death, so that it is written down once."""

    class Cause(models.TextChoices):
        CRASHED = "crashed", _("crashed")
        OUT_OF_MEMORY = "out_of_memory", _("out of memory")
        HUNG = "hung", _("hung")

    key = models.CharField(max_length=100, unique=True)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="deaths")
    cause = models.CharField(max_length=20, choices=Cause)
    signal = models.CharField(max_length=20, blank=True)
    isolated = models.BooleanField()
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["version", "at"], name="death_version_at")]

    def __str__(self) -> str:
        return f"{self.version} {self.cause} {self.at:%Y-%m-%d %H:%M}"


class Quarantine(models.Model):
    """A version that no serving process runs until a person releases it. One row per time that it was locked away."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="quarantines")
    reason = models.TextField()
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    release_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["version"], condition=models.Q(released_at=None), name="one_quarantine_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return str(self.version)
