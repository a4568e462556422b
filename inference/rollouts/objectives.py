"""The absolute guard: what the whole endpoint has to keep, whichever version answers.

Harm that hits both arms alike, such as a candidate that takes the processor from stable, shows in no comparison.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from inference.models import Endpoint, MetricWindow
from inference.monitoring.histogram import Counts, from_json, merge, quantile
from portal.lib.words import percent, seconds

WINDOW = timedelta(minutes=3)
LEAST_ANSWERS = 100


def broken_objective(endpoint: Endpoint) -> str:
    """One sentence, or nothing: over the last three minutes, and only with a hundred answers in them."""
    if endpoint.slo_p99_ms is None and endpoint.slo_error_bp is None:
        return ""
    counts, n_ok, n_bad = _answers(endpoint)
    if n_ok + n_bad < LEAST_ANSWERS:
        return ""
    return _slow(endpoint, counts) or _failing(endpoint, n_ok, n_bad)


def _answers(endpoint: Endpoint) -> tuple[Counts, int, int]:
    counts: Counts = {}
    n_ok = n_bad = 0
    rows = MetricWindow.objects.filter(
        endpoint=endpoint, resolution=MetricWindow.Resolution.FLUSH, ended_at__gt=timezone.now() - WINDOW
    )
    for ok, bad, latency in rows.values_list("n_ok", "n_model_errors", "latency"):
        n_ok, n_bad = n_ok + ok, n_bad + bad
        merge(counts, from_json(latency))
    return counts, n_ok, n_bad


def _slow(endpoint: Endpoint, counts: Counts) -> str:
    p99 = quantile(counts, 0.99)
    if endpoint.slo_p99_ms is None or p99 is None or p99 * 1000 <= endpoint.slo_p99_ms:
        return ""
    return _("The endpoint's p99 is %(now)s, its objective %(limit)s.") % {
        "now": seconds(p99),
        "limit": seconds(endpoint.slo_p99_ms / 1000),
    }


def _failing(endpoint: Endpoint, n_ok: int, n_bad: int) -> str:
    share = 10_000 * n_bad / (n_ok + n_bad)
    if endpoint.slo_error_bp is None or share <= endpoint.slo_error_bp:
        return ""
    return _("%(now)s of the endpoint's answers fail, its objective is %(limit)s.") % {
        "now": percent(round(share)),
        "limit": percent(endpoint.slo_error_bp),
    }
