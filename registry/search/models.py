"""The search over models. What is said of versions (metric, signature, status, alias) has to hold for one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import BooleanField, OuterRef, Q, QuerySet, Subquery, Value
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput
from registry.models import ModelVersion, RegisteredModel, VersionStatus
from registry.search.parsing import Search, Term, parse

Versions = QuerySet[ModelVersion]
# As many versions as are fetched to know their models.
FEW = 1_000
# So many of the newest models are asked how common a tag is; where fewer than one in five has it, its models are few.
NEWEST, COMMON = 200, 40


def search_models(models: QuerySet[RegisteredModel], text: str) -> QuerySet[RegisteredModel]:
    """Those of `models` that match. Raises InvalidInput (`invalid_search`) with a sentence."""
    asked = parse(text)
    for word in asked.words:
        models = models.filter(_word(word))
    for term in asked.terms:
        if term.key in OF_MODELS:
            models = models.filter(OF_MODELS[term.key](term))
    return _by_versions(models, asked)


def _word(word: str) -> Q:
    return Q(name__icontains=word) | Q(description__icontains=word) | Q(tags__icontains=word)


OF_MODELS: dict[str, Callable[[Term], Q]] = {
    "owner": lambda term: Q(created_by__username__iexact=term.value),
    "project": lambda term: Q(project__slug=term.value),
}


def _by_versions(models: QuerySet[RegisteredModel], asked: Search) -> QuerySet[RegisteredModel]:
    terms = [term for term in asked.terms if term.key not in OF_MODELS]
    tags = [term for term in terms if term.key == "tag"]
    if not terms:
        return models
    if len(tags) == len(terms):
        return _by_tags(models, tags)
    versions = _alive()
    for term in terms:
        if term.key == "tag":
            versions = versions.filter(_tag(term) | _tag(term, "model__"))
        else:
            versions = OF_VERSIONS[term.key](versions, term)
    return models.filter(pk__in=_models_of(versions))


def _by_tags(models: QuerySet[RegisteredModel], tags: list[Term]) -> QuerySet[RegisteredModel]:
    """A tag may stand on the model or on any of its versions."""
    for term in tags:
        models = models.filter(_tag(term) | _on_versions(_alive().filter(_tag(term))))
    return models


def _on_versions(versions: Versions) -> Q:
    """Of a tag that most models have, the list and its count end after the first hits: each model is asked by itself.

    As a subquery that gives a value, which PostgreSQL cannot turn into a table of all versions that have it, as it does
    with EXISTS behind an OR: for half of 100 000 versions that costs it 14 000 pages instead of 80.
    """
    ids = _few(versions)
    if ids is None:
        found = versions.filter(model=OuterRef("pk")).values(found=Value(True))[:1]
        each = Q(Subquery(found, output_field=BooleanField()))
        newest = RegisteredModel.objects.filter(deleted_at=None).order_by("-updated_at").values("pk")[:NEWEST]
        if RegisteredModel.objects.filter(each, pk__in=newest).count() >= COMMON:
            return each
        ids = list(versions.values_list("model_id", flat=True).distinct())
    return Q(pk__in=ids)


def _alive() -> Versions:
    return ModelVersion.objects.filter(deleted_at=None).order_by()


def _models_of(versions: Versions) -> list[int] | QuerySet[ModelVersion, Any]:
    """The ids of their models. Few are looked up once, as the count and the page would each read all versions for them.

    Where there are many the subquery stays: a page of it ends as soon as it is full.
    """
    ids = _few(versions)
    return versions.values("model_id") if ids is None else ids


def _few(versions: Versions) -> list[int] | None:
    ids = list(versions.values_list("model_id", flat=True)[: FEW + 1])
    return sorted(set(ids)) if len(ids) <= FEW else None


def _tag(term: Term, path: str = "") -> Q:
    if term.operator:
        return Q(**{f"{path}tags__contains": {term.name: term.value}})
    return Q(**{f"{path}tags__has_key": term.name})


def _metric(versions: Versions, term: Term) -> Versions:
    if not term.operator:
        return versions.filter(metric_rows__name=term.name)
    return versions.filter(**{"metric_rows__name": term.name, f"metric_rows__value__{term.operator}": term.number})


def _status(versions: Versions, term: Term) -> Versions:
    if term.value.lower() not in VersionStatus.values:
        raise InvalidInput(
            _("There is no status “%(status)s”: use %(known)s.")
            % {"status": term.value[:40], "known": ", ".join(VersionStatus.values)},
            code="invalid_search",
            details={"field": "search"},
        )
    return versions.filter(status=term.value.lower())


def _tensor(side: str) -> Callable[[Versions, Term], Versions]:
    """By datatype (`input:FP32`) or by name (`input:age`)."""

    def narrowed(versions: Versions, term: Term) -> Versions:
        by_type = Q(signature__contains={side: [{"datatype": term.value.upper()}]})
        return versions.filter(by_type | Q(signature__contains={side: [{"name": term.value}]}))

    return narrowed


def _alias(versions: Versions, term: Term) -> Versions:
    return versions.filter(aliases__name=term.value)


OF_VERSIONS: dict[str, Callable[[Versions, Term], Versions]] = {
    "metric": _metric,
    "status": _status,
    "input": _tensor("inputs"),
    "output": _tensor("outputs"),
    "alias": _alias,
}
