"""Recording and asking golden requests over the API with every kind of value, and with what people get wrong."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from onnx import TensorProto

from inference.golden.running import run_golden
from inference.models import GoldenRequest
from registry.models import ModelVersion, User
from tests import factories, graphs

pytestmark = pytest.mark.django_db
URL = "/api/v1/models/kinds/golden"
KINDS: dict[str, tuple[int, list[Any]]] = {
    "FP16": (TensorProto.FLOAT16, [0.1, 65504, -2]),
    "FP64": (TensorProto.DOUBLE, [0.1, 1e-320, 1e308]),
    "BOOL": (TensorProto.BOOL, [True, False, True]),
    "BYTES": (TensorProto.STRING, ["", "ß 模", "\U0001f600"]),
    "UINT64": (TensorProto.UINT64, [2**64 - 1, 0, 1]),
}


def _version(data: bytes, inputs: list[tuple[str, str, list[int]]], outputs: list[tuple[str, str, list[int]]]) -> Any:
    version = factories.make_version(factories.make_model("kinds"), data=data)
    keys = ("name", "datatype", "shape")
    version.signature = {
        "inputs": [dict(zip(keys, spec, strict=True)) for spec in inputs],
        "outputs": [dict(zip(keys, spec, strict=True)) for spec in outputs],
    }
    version.save()
    return version


def _identity(datatype: str, element: int) -> ModelVersion:
    specs = [("x", datatype, [-1])], [("y", datatype, [-1])]
    version: ModelVersion = _version(graphs.identity(element, ("N",)), *specs)
    return version


def _body(datatype: str, data: list[Any], name: str = "x") -> dict[str, Any]:
    return {"inputs": [{"name": name, "datatype": datatype, "shape": [len(data)], "data": data}]}


@pytest.fixture
def dora(db: None) -> User:
    return factories.make_user("dora", "data_scientist")


def _post(user: User, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {factories.token_for(user)[1]}"}
    return Client().post(URL, {"name": "g", **body}, headers=headers, content_type="application/json")


def _passes(version: ModelVersion) -> bool:
    run = run_golden(version.pk, "asked")
    assert run is not None
    return run.n_failed == 0


@pytest.mark.parametrize("datatype", KINDS)
def test_record__of_this_kind__kept_as_it_was_and_passed(dora: User, datatype: str) -> None:
    element, data = KINDS[datatype]
    version = _identity(datatype, element)
    made = _post(dora, request=_body(datatype, data), record_from=1, rtol=0, atol=0)
    assert made.status_code == 201, made.content
    assert _passes(version)
    if datatype not in ("FP16", "FP64"):
        assert GoldenRequest.objects.get().expected[0]["data"] == data


def test_record__no_rows__kept_and_passed(dora: User) -> None:
    version = _identity("FP32", TensorProto.FLOAT)
    made = _post(dora, request=_body("FP32", []), record_from=1)
    assert made.json()["expected"] == [{"name": "y", "datatype": "FP32", "shape": [0], "data": []}]
    assert _passes(version)


def test_record__bfloat16_goes_in__refused_with_the_reason(dora: User) -> None:
    _identity("BF16", TensorProto.BFLOAT16)
    made = _post(dora, request=_body("BF16", [1.0]), record_from=1)
    error = made.json()["error"]
    assert (made.status_code, error["code"], error["details"]["field"]) == (400, "wrong_datatype", "request")
    assert "BF16 cannot be written in JSON" in error["message"]


def test_record__zipmap__a_plain_tensor_of_probabilities(dora: User) -> None:
    inputs = [("X", "FP32", [-1, 4])]
    outputs = [("label", "BYTES", [-1]), ("probabilities", "FP32", [-1, 3])]
    version = _version(graphs.zipmap_classifier(), inputs, outputs)
    body = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1, 4], "data": [0, 9, 0, 0]}]}
    made = _post(dora, request=body, record_from=1)
    label, probabilities = made.json()["expected"]
    assert (label["data"], probabilities["shape"]) == (["versicolor"], [1, 3])
    assert _passes(version)


def test_record__model_that_ends_its_process__one_sentence_and_nothing_kept(dora: User) -> None:
    whole = [(name, "INT64", [-1]) for name in ("a", "b", "quotient")]
    version = _version(graphs.division(), whole[:2], whole[2:])
    ModelVersion.objects.filter(pk=version.pk).update(report={"facts": {"isolated": True}})
    inputs = [_body("INT64", [number], name)["inputs"][0] for name, number in (("a", -(2**63)), ("b", -1))]
    made = _post(dora, request={"inputs": inputs}, record_from=1)
    assert (made.status_code, made.json()["error"]["code"]) == (422, "model_crashed")
    assert not GoldenRequest.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"expected": [{"name": "y", "datatype": "FP32", "shape": [0, 2**31 - 1, 2**31 - 1], "data": []}]}, 400, ""),
        ({"expected": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [1e39]}]}, 400, ""),
        ({"expected": []}, 400, ""),
        ({"record_from": 9}, 400, "unknown_version"),
        ({"record_from": 1, "request": {"inputs": [{"name": "x"}]}}, 400, "*"),
        ({"record_from": 1, "request": {"inputs": 7}}, 400, "*"),
        ({"record_from": 1, "request": "text"}, 400, "*"),
        ({"record_from": 1, "name": "a\x00b"}, 400, "*"),
        ({"record_from": 1, "name": " "}, 400, "*"),
        ({"record_from": 1, "rtol": 1e300}, 400, "*"),
        ({"record_from": 1, "atol": -1}, 400, "*"),
        (
            {"record_from": 1, "request": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1]}], "x": "\ud800"}},
            400,
            "*",
        ),
        ({}, 400, "*"),
    ],
)
def test_post__what_people_get_wrong__4xx_with_one_sentence(
    dora: User, body: dict[str, Any], status: int, code: str
) -> None:
    _identity("FP32", TensorProto.FLOAT)
    answer = _post(dora, **{"request": _body("FP32", [1.0]), **body})
    error = answer.json()["error"]
    assert (answer.status_code, bool(error["message"])) == (status, True)
    assert code == "*" or error["code"] == (code or "invalid_expected")
    assert not GoldenRequest.objects.exists()


def test_run__expected_outputs_missing_or_more__only_what_is_expected_counts(dora: User) -> None:
    version = _identity("FP32", TensorProto.FLOAT)
    tensor = {"datatype": "FP32", "shape": [1], "data": [1.0]}
    _post(dora, request=_body("FP32", [1.0]), expected=[{"name": "z", **tensor}])
    run = run_golden(version.pk, "asked")
    assert run is not None
    assert (run.results[0]["code"], run.results[0]["sentence"]) == ("missing", "There is no output “z”.")


def test_run__not_a_number_is_expected__passes_only_for_that(dora: User) -> None:
    version = _version(
        graphs.two_inputs(), [("a", "FP32", [-1, 2]), ("b", "FP32", [-1, 2])], [("total", "FP32", [-1, 2])]
    )
    pair = {"datatype": "FP32", "shape": [1, 2]}
    body = {"inputs": [{"name": name, **pair, "data": [3e38, 1]} for name in ("a", "b")]}
    made = _post(dora, request=body, record_from=1)
    assert made.json()["expected"][0]["data"] == [None, 2.0]
    assert _passes(version)
    GoldenRequest.objects.update(expected=[{"name": "total", **pair, "data": [None, None]}], atol=1e9)
    assert not _passes(version)
