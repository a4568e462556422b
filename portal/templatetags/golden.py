"""The parts about golden requests on the pages of models and versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django import template

from inference.golden.words import brief
from inference.models import GoldenRequest, GoldenRun
from inference.pages.golden import answered
from inference.selectors.golden import digest_of, golden_of
from registry.access import policy
from registry.models import ModelVersion, RegisteredModel

register = template.Library()


@register.inclusion_tag("inference/_golden_model.html", takes_context=True)
def golden_of_model(context: dict[str, Any], model: RegisteredModel) -> dict[str, Any]:
    """A panel: how many there are, and where to see them."""
    may_edit = policy.can(context["request"].principal, "golden.edit", model.project_id)
    return {"model": model, "requests": list(golden_of(model)), "may_edit": may_edit}


@register.inclusion_tag("inference/_golden_version.html", takes_context=True)
def golden_of_version(context: dict[str, Any], version: ModelVersion) -> dict[str, Any]:
    """A panel: how the version answered last. Nothing where the model has no golden requests."""
    requests = list(golden_of(version.model))
    may_run = policy.can(context["request"].principal, "golden.run", version.model.project_id)
    return {
        "request": context["request"],
        "csrf_token": context.get("csrf_token"),
        "requests": requests,
        "row": answered(version, digest_of(requests)),
        "may_run": may_run and version.status == "ready",
    }


@register.filter
def of_id(mapping: dict[int, Any], key: int) -> Any:
    return mapping.get(key, "")


class Failure(NamedTuple):
    """One request that a version failed. `got` and `expected` are empty where it is no matter of one value: then
    `sentence` says of what. `n_of` is how many of all values are wrong; `tolerance` is empty where the
    request was deleted."""

    name: str
    sentence: str
    where: str
    expected: str
    got: str
    n_of: str
    tolerance: str


@register.simple_tag
def failures(run: GoldenRun, requests: Iterable[GoldenRequest] | None = None) -> list[Failure]:
    """For a table, those with numbers first. `requests` are the model's, asked for where they are not at hand."""
    failed = [result for result in run.results if not result["passed"]]
    rows = requests or (golden_of(run.version.model) if failed else ())
    known = {row.pk: row for row in rows}
    return sorted((_failure(result, known.get(result["id"])) for result in failed), key=lambda each: not each.where)


def _failure(result: dict[str, Any], row: GoldenRequest | None) -> Failure:
    if result.get("code") != "value":
        return Failure(result["name"], result["sentence"], "", "", "", "", "")
    got, expected = brief(result["got"]), brief(result["expected"])
    if got == expected:
        got, expected = str(result["got"]), str(result["expected"])
    n_of = f"{result['n_wrong']}/{result['n_elements']}"
    tolerance = f"rtol {row.rtol:g}, atol {row.atol:g}" if row else ""
    return Failure(result["name"], "", f"{result['output']}{result['index']}", expected, got, n_of, tolerance)
