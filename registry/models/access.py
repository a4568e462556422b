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


class SignaturePolicy(models.TextChoices):
    """What a project asks of an uploader's own signature."""

    OFF = "off", _("Not asked for")
    WARN = "warn", _("Missing ones are noted")
    REQUIRE = "require", _("Required")


class Project(models.Model):
    """A tenant: who is no member sees nothing of it.

    `quota_bytes` bounds what its versions and open uploads take together, `max_upload_bytes` a single file; None leaves
    it to the installation. `retention` are its rules (`registry/services/retention.py`); empty keeps everything.
    """

    slug = models.CharField(_("slug"), max_length=64, unique=True, validators=[validate_slug])
    name = models.CharField(_("name"), max_length=200)
    quota_bytes = models.PositiveBigIntegerField(_("quota in bytes"), null=True, blank=True)
    max_upload_bytes = models.PositiveBigIntegerField(_("largest upload in bytes"), null=True, blank=True)
    signature_policy = models.CharField(
        _("uploader's signature"), max_length=8, choices=SignaturePolicy, default=SignaturePolicy.OFF
    )
    retention = models.JSONField(_("retention"), default=dict, blank=True)
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


class SigningKey(models.Model):
    """The public half of an Ed25519 key with which somebody signs what he uploads. The portal never sees the other."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signing_keys")
    name = models.CharField(_("name"), max_length=100)
    public_key = models.CharField(_("public key"), max_length=64)
    fingerprint = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.fingerprint[:12]})"
