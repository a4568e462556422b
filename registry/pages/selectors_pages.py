"""The questions that only pages ask: lists with their search and order, and the counts beside them."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest

from registry import selectors
from registry.access.principal import Principal
from registry.models import AuditEvent, ModelVersion, RegisteredModel

PAGE_SIZE = 25
MODEL_ORDERS = {"name": "name", "updated": "updated_at", "versions": "last_number"}


def page_of(request: HttpRequest, rows: Any, size: int = PAGE_SIZE) -> Page:
    """The page that the URL asks for; a wrong number gives the nearest one."""
    return Paginator(rows, size).get_page(request.GET.get("page"))


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
    newest = ModelVersion.objects.filter(model=OuterRef("pk")).order_by("-number")
    models = selectors.models_for(principal).prefetch_related("aliases__version")
    if search:
        models = models.filter(Q(name__icontains=search) | Q(description__icontains=search))
    return models.annotate(
        newest_number=Subquery(newest.values("number")[:1]), newest_status=Subquery(newest.values("status")[:1])
    ).order_by(order, "name")


def model_counts(model: RegisteredModel) -> dict[str, int]:
    """How many versions a model has, by status."""
    rows = ModelVersion.objects.filter(model=model).order_by().values_list("status").annotate(Count("pk"))
    return dict(rows)


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
