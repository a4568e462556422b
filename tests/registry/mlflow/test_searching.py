"""Filters and orders against the database: whatever is asked is found, or refused in a sentence."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import transaction
from django.db.models import QuerySet

from portal.lib.errors import InvalidInput
from registry.mlflow import experiments, logged_models, model_versions, registered_models, runs, searching
from registry.mlflow.grammar import Name, order
from registry.models import LoggedModel, ModelVersion, RegisteredModel, TrackingExperiment, TrackingRun
from tests.registry.mlflow.conftest import Call

# Each with the names that its filters know.
SEARCHES: list[tuple[QuerySet[Any], Callable[[Name], Any], list[str]]] = [
    (rows, module._expression, [*module.COLUMNS, "tags.a", "params.`b c`", "metrics.loss", *more])  # type: ignore[attr-defined]
    for rows, module, more in (
        (TrackingRun.objects.all(), runs, []),
        (TrackingExperiment.objects.all(), experiments, []),
        (LoggedModel.objects.all(), logged_models, ["model_type"]),
        (RegisteredModel.objects.all(), registered_models, []),
        (ModelVersion.objects.all(), model_versions, ["run_id", "source"]),
    )
]
VALUES = (
    "'a'", "'%'", "'\\\\'", "'it''s'", '"b"', "1", "-1", "0.5", "1e400", "-1e400", "'NaN'", "'inf'", "'٣'", "1.2.3",
    "9" * 18, "9" * 40, "'" + "9" * 5000 + "'", "'2026-01-01'", "253402300799999",
)  # fmt: skip
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "IN", "NOT IN")


def conditions(name: str) -> list[str]:
    compared = [
        f"{name} {operator} ({value}, 'x')" if operator.endswith("IN") else f"{name} {operator} {value}"
        for operator, value in itertools.product(OPERATORS, VALUES)
    ]
    return [*compared, f"{name} IS NULL", f"{name} IS NOT NULL", f"{name} IN ()", f"{name} NOT IN ()"]


@pytest.mark.parametrize("at", range(len(SEARCHES)), ids=["runs", "experiments", "logged", "models", "versions"])
@pytest.mark.django_db
def test_filter__every_name_operator_and_value__found_or_refused(at: int) -> None:
    rows, expression, names = SEARCHES[at]
    failed = []
    for text in itertools.chain.from_iterable(conditions(name) for name in names):
        try:
            with suppress(InvalidInput), transaction.atomic():
                list(searching.search(rows, text, expression)[:1])
        except Exception as error:
            failed.append((text[:60], repr(error)[:100]))
    assert failed == []


@pytest.mark.parametrize("at", range(len(SEARCHES)), ids=["runs", "experiments", "logged", "models", "versions"])
@pytest.mark.django_db
def test_order__by_every_name__found_or_refused(at: int) -> None:
    rows, expression, names = SEARCHES[at]
    for name in names:
        with suppress(InvalidInput):
            list(searching.ordered(rows, [order(f"{name} DESC")], expression, "pk")[:1])


def test_runs__by_their_times_in_milliseconds(call: Call) -> None:
    for name, started in (("old", 1_000), ("new", 2_000_000)):
        call("POST", "runs/create", experiment_id="0", run_name=name, start_time=started)

    def search(text: str) -> list[str]:
        found = call("POST", "runs/search", experiment_ids=["0"], filter=text)
        assert found.status_code == 200, found.json()
        return sorted(row["info"]["run_name"] for row in found.json()["runs"])

    assert search("attributes.start_time > 1000") == ["new"]
    assert search("start_time >= 1000") == ["new", "old"]
    assert search("created = 2000000") == ["new"]
    assert search("start_time < 99999999999999999999999") == ["new", "old"]
    assert search("start_time > -1") == ["new", "old"]
    assert search("end_time > 0") == []


@pytest.mark.parametrize("text", ["start_time = 'soon'", "start_time LIKE '2%'", "metrics.a = 'b'", "run_id < 'a'",
                                  "metrics.a = 1.2.3", "start_time = 'NaN'"])  # fmt: skip
def test_runs__what_does_not_go_together__400_in_a_sentence(call: Call, text: str) -> None:
    refused = call("POST", "runs/search", experiment_ids=["0"], filter=text)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert refused.json()["message"].endswith(".")


def test_logged_models__by_experiment_and_run(call: Call, run_id: str) -> None:
    made = call("POST", "logged-models", experiment_id="0", name="m", source_run_id=run_id).json()["model"]["info"]

    def search(text: str) -> int:
        found = call("POST", "logged-models/search", experiment_ids=["0"], filter=text)
        assert found.status_code == 200, found.json()
        return len(found.json()["models"])

    assert search(f"source_run_id = '{run_id}'") == 1
    assert search("source_run_id = 'other'") == 0
    assert search(f"experiment_id = '{made['experiment_id']}'") == 1
    assert search("experiment_id != 1000000") == 1
    assert search(f"creation_timestamp >= {made['creation_timestamp_ms']}") == 1
