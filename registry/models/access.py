"""Who there is, and which project each may work in. What a role may do stands in `registry/access/actions.py`."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.names import validate_slug


class User(AbstractUser):
    """A person, or a service account that owns tokens. A model of our own so that it can grow."""


class Role(models.TextChoices):
    """Each role may do all that the ones before it may."""

    VIEWER = "viewer", _("Viewer")
    DATA_SCIENTIST = "data_scientist", _("Data scientist")
    OPERATOR = "operator", _("Operator")
    OWNER = "owner", _("Owner")


class Project(models.Model):
    """A tenant: who is no member sees nothing of it."""

    slug = models.CharField(_("slug"), max_length=64, unique=True, validators=[validate_slug])
    name = models.CharField(_("name"), max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=20, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_role_per_member")]

    def __str__(self) -> str:
        return f"{self.user} · {self.project} · {self.role}"


class ApiToken(models.Model):
    """A bearer token. Only its SHA-256 is kept; `prefix` is the public part by which people tell tokens apart.

    `requests_per_second` bounds its predictions; None is no bound.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=20))
    endpoints = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    requests_per_second = models.PositiveIntegerField(_("predictions per second"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix} ({self.name})"
