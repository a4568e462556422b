"""The tabs of a model beside its versions: compare, lineage, endpoints, activity."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models.fields.json import KT
from django.http import HttpResponse

from registry import selectors
from registry.comparison import compare as compared
from registry.comparison import metric_history
from registry.models import ModelVersion, RegisteredModel
from registry.pages.access import PageRequest, page
from registry.pages.answers import show
from registry.pages.compare_rows import rows_of
from registry.pages.lineage_graph import graph_of, width_of
from registry.pages.tabs import frame

MOST_CHOICES = 200
LINEAGE_PAGE = 50
LOOKS = ("trend-a", "trend-b")


@page(GET="model.view")
def compare(request: PageRequest, name: str) -> HttpResponse:
    """`?a=1&b=2`, or `?v=1&v=2` as the boxes of the list of versions send it."""
    model = selectors.get_model(request.principal, name)
    choices = list(selectors.versions_of(model).select_related(None).only("number", "status")[:MOST_CHOICES])
    only = request.GET.get("only") == "differences"
    context: dict[str, Any] = {**frame(request, model, "model-compare"), "choices": choices, "only": only}
    pair = _pair(request, model, choices)
    if pair:
        found, history = compared(*pair), metric_history(pair[0])
        context |= {
            "a": pair[0],
            "b": pair[1],
            "a_name": f"v{pair[0].number}",
            "b_name": f"v{pair[1].number}",
            "pair": list(zip(pair, LOOKS, strict=True)),
            "runs": [(version, look, _run_seconds(version)) for version, look in zip(pair, LOOKS, strict=True)],
            "found": found,
            "metric_rows": [line for line in found.sections["metrics"] if not (only and line.same)],
            "groups": rows_of(found, only_differences=only),
            "history": history,
            "numbers": sorted({number for points in history.values() for number, _value in points}),
            "n_same": sum(line.same for lines in found.sections.values() for line in lines),
        }
    return show(request, "registry/model_compare.html", context)


def _pair(
    request: PageRequest, model: RegisteredModel, choices: list[ModelVersion]
) -> tuple[ModelVersion, ModelVersion] | None:
    """The two that the address names, the older first where boxes were ticked; else the newest two."""
    numbers = _numbers([request.GET.get("a", ""), request.GET.get("b", "")])
    if len(numbers) < 2:
        numbers = _two(_numbers(request.GET.getlist("v")), [version.number for version in choices])
    if len(numbers) < 2:
        return None
    before, after = (selectors.get_version(request.principal, model.name, number) for number in numbers)
    return before, after


def _run_seconds(version: ModelVersion) -> float | None:
    """What one row took when it was validated."""
    return (version.report or {}).get("facts", {}).get("run_seconds")


def _two(ticked: list[int], newest_first: list[int]) -> list[int]:
    """The two newest of those ticked; one alone stands beside the version before it."""
    if len(ticked) == 1:
        older = [number for number in newest_first if number < ticked[0]]
        ticked += older[:1] or [number for number in newest_first if number > ticked[0]][-1:]
    return sorted(ticked or newest_first[:2])[-2:]


def _numbers(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 11]


@page(GET="model.view")
def lineage(request: PageRequest, name: str) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    alive = selectors.versions_of(model)
    parents = alive.values_list("number", KT("lineage__parent")).order_by("-number")
    rows = graph_of((number, int(parent) if parent else None) for number, parent in parents)
    part = Paginator(rows, LINEAGE_PAGE).get_page(request.GET.get("page"))
    shown = {version.number: version for version in alive.filter(number__in=[row.number for row in part.object_list])}
    context = {
        **frame(request, model, "model-lineage"),
        "page": part,
        "rows": [(row, shown[row.number]) for row in part.object_list if row.number in shown],
        "n_lanes": min(12, width_of(part.object_list)),
        "has_any": any(row.has_parent for row in rows),
    }
    return show(request, "registry/model_lineage.html", context)


@page(GET="model.view")
def endpoints(request: PageRequest, name: str) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    return show(request, "registry/model_endpoints.html", frame(request, model, "model-endpoints"))


@page(GET="model.view")
def activity(request: PageRequest, name: str) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    return show(request, "registry/model_activity.html", frame(request, model, "model-activity"))
