"""How right each version of an endpoint was, as far as the truth is known."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import Avg, Count, Q

from inference.models import Endpoint, Outcome


class VersionOutcome(NamedTuple):
    """`n` outcomes, of which `n_judged` can be told right or wrong. Shares are None where nothing was judged."""

    version_id: int
    version: int
    n: int
    n_judged: int
    n_wrong: int
    n_late: int
    n_rewards: int
    mean_reward: float | None

    @property
    def share_right(self) -> float | None:
        return 1 - self.n_wrong / self.n_judged if self.n_judged else None


def summary_of(endpoint: Endpoint) -> list[VersionOutcome]:
    """One row per version with outcomes, the newest version first; late ones are in it."""
    rows = (
        Outcome.objects.filter(endpoint=endpoint, record__isnull=False)
        .values("record__version_id", "record__version__number")
        .annotate(
            n=Count("pk"),
            n_judged=Count("pk", filter=Q(is_wrong__isnull=False)),
            n_wrong=Count("pk", filter=Q(is_wrong=True)),
            n_late=Count("pk", filter=Q(is_late=True)),
            n_rewards=Count("reward"),
            mean_reward=Avg("reward"),
        )
        .order_by("-record__version__number")
    )
    return [VersionOutcome(*row) for row in rows.values_list(*_COLUMNS)]


_COLUMNS = (
    "record__version_id",
    "record__version__number",
    "n",
    "n_judged",
    "n_wrong",
    "n_late",
    "n_rewards",
    "mean_reward",
)
