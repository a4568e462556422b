"""When a version is locked away, the endpoints that gave it traffic go back to their last healthy split."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from django.conf import settings
from django.db.models import Max, Q, QuerySet

from inference.endpoints.moves import activate, settle
from inference.models import Endpoint, SplitActivation, TrafficShare, TrafficSplit
from inference.selectors.quarantines import quarantines_now
from registry.access.principal import SYSTEM
from registry.models import ModelVersion, VersionStatus

log = structlog.get_logger(__name__)


def fall_back(version: ModelVersion, reason: str, sequence: int) -> list[SplitActivation]:
    """Inside the transaction that bumped to `sequence`. An endpoint without a healthy split stays as it is."""
    moved = []
    for endpoint in _endpoints_giving_traffic(version):
        split = healthy_split(endpoint)
        if split is None:
            log.error("endpoint_without_healthy_split", endpoint=endpoint.slug, version=str(version))
        else:
            moved.append(activate(SYSTEM, endpoint, split, SplitActivation.Kind.FALL_BACK, reason, sequence))
    return moved


def _endpoints_giving_traffic(version: ModelVersion) -> QuerySet[Endpoint]:
    """Locked. The sequence's own lock keeps everybody else from moving traffic meanwhile."""
    shares = TrafficShare.objects.filter(variant__version=version, weight_bp__gt=0)
    living = Endpoint.objects.filter(live_split__in=shares.values("split"), deleted_at=None)
    return living.select_for_update(of=("self",)).select_related("live_split", "model").order_by("pk")


def healthy_split(endpoint: Endpoint) -> TrafficSplit | None:
    """The split that was live last before the one now, of those that send traffic to ready, free versions only."""
    shares = TrafficShare.objects.filter(split__endpoint=endpoint, weight_bp__gt=0)
    unfit = ~Q(variant__version__status=VersionStatus.READY) | Q(
        variant__version__in=quarantines_now().values("version")
    )
    once_live = endpoint.splits.filter(activations__isnull=False, rollout=None, experiment=None)
    once_live = once_live.exclude(pk=endpoint.live_split_id or 0)
    healthy = once_live.exclude(pk__in=shares.filter(unfit).values("split"))
    return healthy.annotate(last_epoch=Max("activations__epoch")).order_by("-last_epoch").first()


def settle_fall_back(moved: Iterable[SplitActivation], sequence: int) -> None:
    """Writes how the serving processes followed. One that has not within a lease's time asks before it answers."""
    activations = SplitActivation.objects.filter(pk__in=[activation.pk for activation in moved])
    settle(activations, sequence, seconds=settings.PORTAL_LEASE_SECONDS)
