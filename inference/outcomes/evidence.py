"""The truth as evidence for a rollout: how many answers of each arm were judged, and how many of them were wrong."""

from __future__ import annotations

from collections import Counter

from django.db.models.functions import Now

from inference.analysis.eprocess import Counts4
from inference.models import Outcome, Rollout

CANARY, STABLE = "canary", "stable"
# In one batch; the rest comes with the next one.
MOST_TAKEN = 20_000


def take(rollout: Rollout, seq: int) -> Counts4 | None:
    """Marks new judged outcomes of the rollout's answers as taken by batch `seq`, in the order in which they matured.

    Belongs into the caller's transaction. Late outcomes and those of answers that no arm was drawn for are left out.
    None where there is nothing new.
    """
    ripe = Outcome.objects.filter(
        endpoint=rollout.endpoint_id,
        taken=None,
        matures_at__lte=Now(),
        is_late=False,
        is_wrong__isnull=False,
        record__split__rollout=rollout,
        record__variant__in=(CANARY, STABLE),
    )
    first = ripe.order_by("matures_at", "pk").values("pk")[:MOST_TAKEN]
    locked = Outcome.objects.filter(pk__in=first, taken=None).order_by("pk").select_for_update(of=("self",))
    rows = list(locked.values_list("pk", "record__variant", "is_wrong"))
    if not rows:
        return None
    Outcome.objects.filter(pk__in=[pk for pk, _variant, _wrong in rows]).update(taken=seq)
    n = Counter(variant for _pk, variant, _wrong in rows)
    k = Counter(variant for _pk, variant, wrong in rows if wrong)
    return Counts4(n[CANARY], n[STABLE], k[CANARY], k[STABLE])
