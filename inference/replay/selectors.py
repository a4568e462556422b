"""Questions about replays. Every one answers only from what the caller may see."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from inference.models import Endpoint, ReplayRun
from inference.selectors.endpoints import endpoints_for
from portal.lib.errors import NotFound
from registry.access import policy
from registry.access.principal import Principal


def _runs() -> QuerySet[ReplayRun]:
    return ReplayRun.objects.select_related(
        "endpoint__model", "stable__model", "candidate__model", "created_by", "rollout"
    )


def replays_of(endpoint: Endpoint) -> QuerySet[ReplayRun]:
    """Newest first."""
    return _runs().filter(endpoint=endpoint)


def get_replay(principal: Principal, run_id: int) -> ReplayRun:
    """Raises NotFound."""
    seen = endpoints_for(principal).order_by().values("pk")
    run = _runs().filter(pk=run_id, endpoint__in=seen).first()
    if run is None:
        raise NotFound(_("There is no replay %(id)s, or you may not see it.") % {"id": run_id})
    return run


def may_see_contents(principal: Principal, run: ReplayRun) -> bool:
    """What callers sent, and what they were answered, is not for everybody who sees the endpoint."""
    return policy.can(principal, "capture.view", run.endpoint.project_id)
