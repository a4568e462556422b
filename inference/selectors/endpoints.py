"""Questions about endpoints and their traffic. Every one answers only from what the caller may see."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from inference.models import Endpoint, ServingProcess, SplitActivation, TrafficSplit
from portal.lib.errors import InvalidInput, NotFound
from portal.lib.texts import is_storable
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion


def endpoints_for(principal: Principal) -> QuerySet[Endpoint]:
    """What exists now; a token that names its endpoints sees only these."""
    named = Q() if principal.endpoints is None else Q(slug__in=principal.endpoints)
    return (
        Endpoint.objects.filter(policy.visible(principal), named, deleted_at=None)
        .select_related("project", "model", "live_split", "created_by")
        .prefetch_related("live_split__shares__variant__version")
    )


def get_endpoint(principal: Principal, slug: str) -> Endpoint:
    endpoint = endpoints_for(principal).filter(slug=slug).first() if is_storable(slug) else None
    if endpoint is None:
        raise NotFound(_("There is no endpoint “%(slug)s”.") % {"slug": slug})
    return endpoint


def splits_of(endpoint: Endpoint) -> QuerySet[TrafficSplit]:
    """Every revision, newest first."""
    return endpoint.splits.select_related("created_by", "parent").prefetch_related(
        "shares__variant__version", "activations"
    )


def activations_of(endpoint: Endpoint) -> QuerySet[SplitActivation]:
    """What was live when, newest first."""
    return endpoint.activations.select_related("split", "actor").prefetch_related("split__shares__variant__version")


def version_of_endpoint(endpoint: Endpoint, number: int) -> ModelVersion:
    """Raises InvalidInput: here the number stands in a body, not in the URL."""
    version = endpoint.model.versions.filter(number=number, deleted_at=None).first() if 0 < number < 2**31 else None
    if version is None:
        raise InvalidInput(
            _("Model “%(name)s” has no version %(number)s.") % {"name": endpoint.model.name, "number": number},
            code="unknown_version",
            details={"field": "version"},
        )
    return version


def serving_processes() -> QuerySet[ServingProcess]:
    return ServingProcess.objects.order_by("host", "pid")
