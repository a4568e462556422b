"""Registered models, versions, aliases, stages and search, call by call."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from registry.models import AuditEvent, RegisteredModel
from tests import factories
from tests.registry.mlflow.conftest import Call, caller

NOT_A_PROMPT = "tag.`mlflow.prompt.is_prompt` != 'true'"


def names(answer: Any) -> list[str]:
    return [model["name"] for model in answer.json()["registered_models"]]


def numbers(answer: Any) -> list[str]:
    return [version["version"] for version in answer.json()["model_versions"]]


def test_model__made_read_changed_renamed__each_in_the_record(call: Call) -> None:
    made = call("POST", "registered-models/create", name="iris", tags=[{"key": "team", "value": "risk"}])
    assert made.json()["registered_model"]["tags"] == [{"key": "team", "value": "risk"}]
    call("PATCH", "registered-models/update", name="iris", description="Flowers.")
    call("POST", "registered-models/set-tag", name="iris", key="a", value="1")
    call("DELETE", "registered-models/delete-tag", name="iris", key="team")
    renamed = call("POST", "registered-models/rename", name="iris", new_name="rose").json()["registered_model"]
    assert (renamed["name"], renamed["description"], renamed["tags"]) == (
        "rose", "Flowers.", [{"key": "a", "value": "1"}],
    )  # fmt: skip
    assert call("GET", "registered-models/get", name="iris").status_code == 404
    assert "model.renamed" in set(AuditEvent.objects.values_list("action", flat=True))


def test_rename__taken_or_forbidden_name__refused_and_nothing_changed(call: Call) -> None:
    for name in ("iris", "rose"):
        factories.make_model(name)
    for wanted, word in (("rose", "RESOURCE_ALREADY_EXISTS"), ("a:b", "INVALID_PARAMETER_VALUE")):
        answer = call("POST", "registered-models/rename", name="iris", new_name=wanted)
        assert (answer.status_code, answer.json()["error_code"]) == (400, word)
    assert RegisteredModel.objects.filter(name="iris").exists()


def test_models__search__filters_orders_pages_and_own_projects_only(call: Call) -> None:
    for name in ("alpha", "beta", "gamma"):
        factories.make_model(name)
    factories.make_model("hidden", factories.make_project("elsewhere"))
    call("POST", "registered-models/set-tag", name="beta", key="1", value="x")
    call("POST", "registered-models/set-tag", name="gamma", key="mlflow.prompt.is_prompt", value="true")

    def search(**said: Any) -> Any:
        return call("GET", "registered-models/search", **said)

    assert names(search()) == ["alpha", "beta", "gamma"]
    assert names(search(filter=NOT_A_PROMPT)) == ["alpha", "beta"]
    assert names(search(filter="name ILIKE '%ETA'")) == ["beta"]
    assert names(search(filter="tags.`1` = 'x'")) == ["beta"]
    assert names(search(filter="tags.`1` != 'y'")) == ["beta"]
    assert names(search(order_by="name DESC", max_results=2)) == ["gamma", "beta"]
    assert names(search(order_by="timestamp DESC", max_results=2)) == ["gamma", "beta"]
    token = search(max_results=2).json()["next_page_token"]
    assert names(search(max_results=2, page_token=token)) == ["gamma"]
    for wrong in ({"page_token": "%%"}, {"max_results": 0}, {"max_results": 10**6}, {"order_by": "secret"},
                  {"filter": "created_by__password = 'x'"}):  # fmt: skip
        assert search(**wrong).status_code == 400, wrong


def test_alias__set_read_taken_away(call: Call) -> None:
    factories.make_version(factories.make_model("iris"))
    assert call("POST", "registered-models/alias", name="iris", alias="champion", version="1").json() == {}
    found = call("GET", "registered-models/alias", name="iris", alias="champion").json()["model_version"]
    assert (found["version"], found["aliases"], found["status"]) == ("1", ["champion"], "READY")
    assert call("DELETE", "registered-models/alias", name="iris", alias="champion").json() == {}
    missing = call("GET", "registered-models/alias", name="iris", alias="champion")
    assert missing.status_code == 400
    assert missing.json() == {
        "error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias champion not found.",
    }  # fmt: skip
    assert call("DELETE", "registered-models/alias", name="iris", alias="champion").json() == {}


def test_prompt__501_and_no_model_of_its_name(call: Call) -> None:
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    refused = call("POST", "registered-models/create", name="greeting", tags=tags)
    assert (refused.status_code, refused.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert not RegisteredModel.objects.exists()


def test_version__each_status__in_mlflows_words(call: Call) -> None:
    model = factories.make_model("iris")
    rejected = factories.make_version(model, 2.0, "rejected")
    rejected.report = {"code": "broken", "message": "It is broken."}
    rejected.save()
    factories.make_version(model, 3.0, "validating")
    factories.make_version(model, 4.0)
    seen = {v["version"]: (v["status"], v["status_message"]) for v in _all(call)}
    assert seen == {
        "1": ("FAILED_REGISTRATION", "It is broken. (broken)"),
        "2": ("PENDING_REGISTRATION", ""),
        "3": ("READY", ""),
    }
    assert numbers(call("GET", "registered-models/get-latest-versions", name="iris")) == ["3"]


def _all(call: Call) -> list[dict[str, Any]]:
    return list(call("GET", "model-versions/search", filter="name='iris'").json()["model_versions"])


def test_versions__search__by_number_tag_and_name(call: Call) -> None:
    model = factories.make_model("iris")
    for added in (1.0, 2.0, 3.0):
        factories.make_version(model, added)
    factories.make_version(factories.make_model("hidden", factories.make_project("elsewhere")))
    call("POST", "model-versions/set-tag", name="iris", version="2", key="stage", value="prod")
    search = lambda **said: call("GET", "model-versions/search", **said)  # noqa: E731
    assert numbers(search(order_by="version_number ASC")) == ["1", "2", "3"]
    assert numbers(search(filter="tags.stage = 'prod'")) == ["2"]
    assert numbers(search(filter="version_number > 1 AND name = 'iris'", order_by="version_number")) == ["2", "3"]
    assert search(filter="version_number = 'x'").status_code == 400
    call("DELETE", "model-versions/delete-tag", name="iris", version="2", key="stage")
    assert numbers(search(filter="tags.stage = 'prod'")) == []


@pytest.mark.parametrize("version", ["0", "9", "x", "-1", "1.0", "99999999999", "1 OR 1"])
def test_version__no_such_number__4xx(call: Call, version: str) -> None:
    factories.make_version(factories.make_model("iris"))
    assert call("GET", "model-versions/get", name="iris", version=version).status_code in (400, 404)


def test_stages__production_taken_over__is_an_alias_and_the_old_one_archived(call: Call) -> None:
    model = factories.make_model("iris")
    for added in (1.0, 2.0):
        factories.make_version(model, added)

    def move(version: str, stage: str, archive: bool = False) -> Any:
        said = {"name": "iris", "version": version, "stage": stage, "archive_existing_versions": archive}
        return call("POST", "model-versions/transition-stage", **said)

    assert move("1", "production").json()["model_version"]["current_stage"] == "Production"
    assert move("2", "Production", archive=True).json()["model_version"]["aliases"] == ["Production"]
    stages = {v["version"]: v["current_stage"] for v in _all(call)}
    assert stages == {"1": "Archived", "2": "Production"}
    assert numbers(call("POST", "registered-models/get-latest-versions", name="iris", stages=["Production"])) == ["2"]
    assert move("2", "None").json()["model_version"]["current_stage"] == "None"
    assert move("1", "Staging").json()["model_version"]["current_stage"] == "Staging"
    assert move("1", "elsewhere").status_code == 400


def test_delete__version_and_model__gone_and_refused_while_an_alias_points_at_it(client: Client, db: None) -> None:
    call = caller(client, factories.make_user("olga", "owner"))
    model = factories.make_model("iris")
    for added in (1.0, 2.0):
        factories.make_version(model, added)
    call("POST", "registered-models/alias", name="iris", alias="champion", version="2")
    assert call("DELETE", "model-versions/delete", name="iris", version="1").json() == {}
    refused = call("DELETE", "model-versions/delete", name="iris", version="2")
    assert (refused.status_code, refused.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert numbers(call("GET", "model-versions/search", filter="name='iris'")) == ["2"]
    assert call("DELETE", "registered-models/delete", name="iris").json() == {}
    assert call("GET", "registered-models/get", name="iris").status_code == 404


def test_strangers_model__as_one_that_is_not_there(call: Call) -> None:
    factories.make_version(factories.make_model("theirs", factories.make_project("elsewhere")))
    for method, path, more in (
        ("GET", "registered-models/get", {}),
        ("GET", "model-versions/get", {"version": "1"}),
        ("GET", "model-versions/get-download-uri", {"version": "1"}),
        ("DELETE", "model-versions/delete", {"version": "1"}),
        ("POST", "registered-models/rename", {"new_name": "mine"}),
        ("POST", "model-versions/create", {"source": "models:/theirs/1"}),
    ):
        # A data scientist may not delete at all, so there the scope and role are the same for both.
        theirs, missing = (call(method, path, name=name, **more) for name in ("theirs", "nothere"))
        same = theirs.json()["message"].replace("theirs", "nothere") == missing.json()["message"]
        assert (theirs.status_code, same) == (missing.status_code, True), path
