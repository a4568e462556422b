"""Questions about versions that killed the process they ran in."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F, OuterRef, Prefetch, Q, QuerySet, Subquery

from inference.models import Endpoint, Quarantine, RuntimeDeath
from registry.access import policy
from registry.access.principal import Principal
from registry.models import ModelVersion


def counted_deaths() -> QuerySet[RuntimeDeath]:
    """Newest first; what was before a version's last release counts no longer."""
    released = Quarantine.objects.filter(version=OuterRef("version"), released_at__isnull=False)
    newest = Subquery(released.order_by("-released_at").values("released_at")[:1])
    return RuntimeDeath.objects.annotate(forgiven_at=newest).filter(Q(forgiven_at=None) | Q(at__gt=F("forgiven_at")))


def with_deaths(quarantines: QuerySet[Quarantine]) -> QuerySet[Quarantine]:
    """Each row's `version.counted_deaths` is then the list of deaths that count."""
    deaths = Prefetch("version__deaths", counted_deaths(), to_attr="counted_deaths")
    return quarantines.select_related("version__model__project", "released_by").prefetch_related(deaths)


def quarantines_now() -> QuerySet[Quarantine]:
    return Quarantine.objects.filter(released_at=None)


def active_quarantines(principal: Principal) -> QuerySet[Quarantine]:
    """What is locked away now, newest first, as far as the caller may see the version."""
    there = quarantines_now().filter(version__deleted_at=None)
    return with_deaths(there.filter(policy.visible(principal, "version__model__project_id")))


def quarantine_of(version: ModelVersion) -> Quarantine | None:
    return with_deaths(quarantines_now().filter(version=version)).first()


def quarantined_among(version_ids: Iterable[int]) -> set[int]:
    return set(quarantines_now().filter(version__in=list(version_ids)).values_list("version_id", flat=True))


def is_quarantined(version: ModelVersion) -> bool:
    return quarantines_now().filter(version=version).exists()


def quarantines_at(endpoint: Endpoint) -> QuerySet[Quarantine]:
    """Quarantined versions that this endpoint serves or has served."""
    served = ModelVersion.objects.filter(variants__endpoint=endpoint)
    return with_deaths(quarantines_now().filter(version__in=served))
