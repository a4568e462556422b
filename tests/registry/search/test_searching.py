from __future__ import annotations

import pytest

from portal.lib.errors import InvalidInput
from registry.models import ModelAlias, ModelVersion, RegisteredModel
from registry.search import models as searching
from registry.search.models import search_models
from registry.services.version_metrics import write_metrics
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def catalogue() -> None:
    """alpha: two versions, the champion the less accurate. beta: one that takes text. gamma: none."""
    anna = factories.make_user("anna", "owner")
    alpha, beta, gamma = (factories.make_model(name) for name in ("alpha", "beta", "gamma"))
    RegisteredModel.objects.filter(pk=alpha.pk).update(tags={"team": "risk"}, created_by=anna, description="Scores 50%")
    RegisteredModel.objects.filter(pk=gamma.pk).update(tags={"team": "growth", "Größe": "naïve"})
    one, two = factories.make_version(alpha, 1.0), factories.make_version(alpha, 2.0)
    other = factories.make_version(beta, 3.0)
    ModelAlias.objects.create(model=alpha, name="champion", version=one)
    _set(one, metrics={"accuracy": 0.8, "loss": -2}, tags={"framework": "torch"})
    _set(two, metrics={"accuracy": 0.95})
    _set(other, metrics={"accuracy": 1}, tags={"team": "risk"}, signature=_takes("BYTES", "text"))
    factories.make_version(beta, 4.0, status="rejected")


def _set(version: ModelVersion, **facts: object) -> None:
    ModelVersion.objects.filter(pk=version.pk).update(**facts)
    version.refresh_from_db()
    write_metrics(version)


def _takes(datatype: str, name: str) -> dict[str, object]:
    return {"inputs": [{"name": name, "datatype": datatype, "shape": [-1, 1]}], "outputs": []}


def found(text: str) -> list[str]:
    return list(search_models(RegisteredModel.objects.all(), text).order_by("name").values_list("name", flat=True))


CASES = [
    ("", ["alpha", "beta", "gamma"]),
    ("ALPHA", ["alpha"]),
    ("growth", ["gamma"]),
    ("GRÖSSE", []),
    ("größe naïve", ["gamma"]),
    ("50%", ["alpha"]),
    ("%", ["alpha"]),
    ("_", []),
    ("alpha beta", []),
    ("owner:ANNA", ["alpha"]),
    ("owner:ann", []),
    ("project:default", ["alpha", "beta", "gamma"]),
    ("project:elsewhere", []),
    ("tag:team", ["alpha", "beta", "gamma"]),
    ("tag:team=risk", ["alpha", "beta"]),
    ("tag:team=risk tag:framework=torch", ["alpha"]),
    ("tag:framework=torch metric:accuracy>0.9", []),
    ("tag:team=risk metric:accuracy>0.9", ["alpha", "beta"]),
    ("metric:accuracy", ["alpha", "beta"]),
    ("metric:accuracy>0.95", ["beta"]),
    ("metric:accuracy>=0.95", ["alpha", "beta"]),
    ("metric:accuracy=1", ["beta"]),
    ("metric:loss<0", ["alpha"]),
    ("metric:nothing<1e9", []),
    ("alias:champion", ["alpha"]),
    ("alias:champion metric:accuracy>0.9", []),
    ("alias:champion metric:accuracy>0.7", ["alpha"]),
    ("input:fp32", ["alpha"]),
    ("input:BYTES", ["beta"]),
    ("input:text", ["beta"]),
    ("input:BYTES status:rejected", []),
    ("output:y", ["alpha"]),
    ("status:rejected", ["beta"]),
    ("status:READY alpha", ["alpha"]),
]


@pytest.mark.parametrize(
    ("few", "common"), [(1_000, 1), (0, 0), (0, 1_000)], ids=["few", "many and common", "many of few models"]
)
@pytest.mark.parametrize(("text", "names"), CASES)
def test_search__each_kind_of_term__finds_these_models(
    text: str, names: list[str], few: int, common: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "FEW", few)
    monkeypatch.setattr(searching, "COMMON", common)
    assert found(text) == names


def test_search__tag_that_many_versions_have__each_model_is_asked_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a hashed subplan PostgreSQL would read all of these versions for a page of 25 models."""
    monkeypatch.setattr(searching, "FEW", 0)
    monkeypatch.setattr(searching, "COMMON", 0)
    plan = search_models(RegisteredModel.objects.all(), "tag:framework=torch").order_by("-updated_at")[:25].explain()
    assert "SubPlan" in plan
    assert "hashed" not in plan


def test_search__deleted_version__is_found_no_more() -> None:
    ModelVersion.objects.filter(metrics__accuracy=1).update(deleted_at="2026-01-01T00:00Z")
    assert found("metric:accuracy=1") == []
    assert found("tag:team=risk") == ["alpha"]


def test_search__unknown_status__names_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="receiving, validating, ready, rejected, archived"):
        found("status:good")


@pytest.mark.parametrize(
    "text", ['tag:a\'b=c""d', "metric:a'); DROP TABLE x;-->1", "tag:{}=[]", "metric:a.b>1", "input:\\"]
)
def test_search__signs_of_other_languages__are_only_text(text: str) -> None:
    assert found(text) == []
