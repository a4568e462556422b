"""Requests whose answers are known, and how each version answered them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models import ModelVersion, RegisteredModel


class GoldenRequest(models.Model):
    """A V2 body and the answer that every version of the model has to give to it, within tolerances.

    `request` is `{"inputs": [...]}`, `expected` a list of V2 output tensors with their data. A number passes when
    `|got - expected| <= atol + rtol * |expected|`; texts and whole numbers have to be equal.
    """

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="golden_requests")
    name = models.CharField(_("name"), max_length=100)
    request = models.JSONField()
    expected = models.JSONField()
    rtol = models.FloatField(_("relative tolerance"), default=1e-3)
    atol = models.FloatField(_("absolute tolerance"), default=1e-5)
    recorded_from = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="golden_name_once_per_model")]

    def __str__(self) -> str:
        return f"{self.model.name}: {self.name}"


class GoldenRun(models.Model):
    """How one version answered all golden requests of its model. `results` has one row for each of them.

    `set_digest` names the requests as they were; `occasion` is "validation", "promotion", "rollout" or "asked".
    """

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="golden_runs")
    occasion = models.CharField(max_length=12)
    set_digest = models.CharField(max_length=64)
    n_requests = models.PositiveIntegerField()
    n_failed = models.PositiveIntegerField()
    results = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.version} {self.n_requests - self.n_failed} of {self.n_requests}"
