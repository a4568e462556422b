"""The questions that only pages ask: lists with their search and order, and the counts beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.functional import cached_property

from registry import selectors
from registry.access.principal import Principal
from registry.models import AuditEvent, ModelVersion, RegisteredModel
from registry.search.models import search_models

PAGE_SIZE = 25
MOST_FOUND = 1_000
MODEL_ORDERS = {"name": "name", "updated": "updated_at", "versions": "last_number"}


def page_of(request: HttpRequest, rows: Any, size: int = PAGE_SIZE) -> Page:
    """The page that the URL asks for; a wrong number gives the nearest one."""
    return Paginator(rows, size).get_page(request.GET.get("page"))


class FoundPages(Paginator):
    """Of a search: counting stops at `MOST_FOUND`, as who found so many goes on by narrowing the search."""

    @cached_property
    def count(self) -> int:
        return min(self._seen, MOST_FOUND)

    @property
    def is_cut(self) -> bool:
        return self._seen > MOST_FOUND

    @cached_property
    def _seen(self) -> int:
        rows: QuerySet[RegisteredModel] = self.object_list  # type: ignore[assignment]
        return rows.order_by().values("pk")[: MOST_FOUND + 1].count()


def found_page(request: HttpRequest, rows: QuerySet[RegisteredModel]) -> Page:
    return FoundPages(rows, PAGE_SIZE).get_page(request.GET.get("page"))


def asked(request: HttpRequest, name: str) -> str:
    """A word from the address, short and without what PostgreSQL cannot hold."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:200]


def order_of(request: HttpRequest, orders: dict[str, str], default: str) -> tuple[str, str]:
    """`?sort=-updated` as (the key for the page, the field for the query); unknown keys fall back."""
    sort = request.GET.get("sort", default)
    if sort.removeprefix("-") not in orders:
        sort = default
    sign = "-" if sort.startswith("-") else ""
    return sort, sign + orders[sort.removeprefix("-")]


def models_list(principal: Principal, search: str, order: str) -> QuerySet[RegisteredModel]:
    """Raises InvalidInput where the search makes no sense."""
    newest = ModelVersion.objects.filter(model=OuterRef("pk"), deleted_at=None).order_by("-number")
    models = selectors.models_for(principal).prefetch_related("aliases__version")
    if search:
        models = search_models(models, search)
    return models.annotate(
        newest_number=Subquery(newest.values("number")[:1]), newest_status=Subquery(newest.values("status")[:1])
    ).order_by(order, "name")


def model_counts(model: RegisteredModel) -> dict[str, int]:
    """How many versions a model has, by status."""
    alive = ModelVersion.objects.filter(model=model, deleted_at=None).order_by()
    return dict(alive.values_list("status").annotate(Count("pk")))


def shown_metrics(versions: Iterable[ModelVersion], most: int = 2) -> list[str]:
    """The metrics that most of these versions have: columns of their table."""
    seen: Counter[str] = Counter()
    counts: set[str] = set()  # Whole numbers, such as rows or epochs, tell least of a model.
    for version in versions:
        seen.update(list(version.metrics))
        counts.update(name for name, value in version.metrics.items() if float(value).is_integer())
    return sorted(sorted(seen, key=lambda name: (-seen[name], name in counts, name))[:most])


def model_names(principal: Principal, most: int = 500) -> list[str]:
    return list(selectors.models_for(principal).values_list("name", flat=True)[:most])


def audit_list(principal: Principal, filters: dict[str, str]) -> QuerySet[AuditEvent]:
    """Filters: `actor` by name, `action` by its beginning, `object` by a part of its name."""
    events = selectors.audit_for(principal)
    if filters.get("actor"):
        events = events.filter(actor_name__iexact=filters["actor"])
    if filters.get("action"):
        events = events.filter(action=filters["action"])
    if filters.get("object"):
        events = events.filter(object_name__icontains=filters["object"])
    return events


def audit_actions(principal: Principal) -> list[str]:
    return list(selectors.audit_for(principal).order_by("action").values_list("action", flat=True).distinct())
