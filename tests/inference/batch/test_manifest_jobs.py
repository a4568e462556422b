"""Jobs of versions with a manifest: rows as people write them, names of classes beside the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from inference.batch import results
from inference.models import BatchJob
from registry.artifacts.manifest import check_manifest
from registry.artifacts.signature import Signature
from registry.models import ModelVersion
from tests import graphs
from tests.inference.batch.conftest import output
from tests.inference.batch.tables import signature

pytestmark = pytest.mark.django_db(transaction=True)
HALVED = {"inputs": {"x": {"scale": 0.5, "features": ["a", "b", "c", "d"]}}}
PLUS_ONE = signature({"x": ("FP32", (-1, 4))}, {"y": ("FP32", (-1, 4))})
Make = Callable[..., ModelVersion]
Run = Callable[[BatchJob], BatchJob]


@pytest.fixture
def described(version_of: Make) -> Make:
    def make(manifest: dict[str, Any], model: bytes = b"", contract: Signature = PLUS_ONE) -> ModelVersion:
        version = version_of(model or graphs.add_constant(1.0), contract, "described")
        version.manifest = check_manifest(manifest)
        version.save()
        return version

    return make


def test_job__scaling__as_through_v1(described: Make, submit: Callable[..., BatchJob], run_to_end: Run) -> None:
    described(HALVED)
    job = run_to_end(submit(b"x_0,x_1,x_2,x_3\n2,4,6,8\n", model="described"))
    assert output(job) == b"y_0,y_1,y_2,y_3\n2.0,3.0,4.0,5.0\n"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"d,c,more,b,a\n8,6,x,4,2\n", "rows.csv"),
        (b'{"d": 8, "a": 2, "c": 6, "b": 4, "more": null}\n', "rows.jsonl"),
    ],
)
def test_job__columns_by_feature__in_any_order(
    described: Make, submit: Callable[..., BatchJob], run_to_end: Run, data: bytes, name: str
) -> None:
    described(HALVED)
    job = run_to_end(submit(data, model="described", file_name=name))
    assert job.error_message == ""
    assert output(job).splitlines()[-1] in (b"2.0,3.0,4.0,5.0", b'{"y":[2.0,3.0,4.0,5.0]}')


@pytest.mark.parametrize(
    ("data", "name"), [(b"a,b,c\n1,2,3\n", "rows.csv"), (b'{"a": 1, "b": 2, "c": 3}\n', "rows.jsonl")]
)
def test_job__missing_feature__named(
    described: Make, submit: Callable[..., BatchJob], run_to_end: Run, data: bytes, name: str
) -> None:
    described(HALVED)
    job = run_to_end(submit(data, model="described", file_name=name))
    assert (job.status, job.error_code) == ("failed", "missing_column")
    assert "d" in job.error_message.split(".")[0].split()[-1]


def test_job__labels__a_column_with_the_classes_name(
    described: Make, submit: Callable[..., BatchJob], run_to_end: Run
) -> None:
    described({"labels": {"y": ["one", "two", "=three", 'fo"ur']}})
    job = run_to_end(submit(b"x_0,x_1,x_2,x_3\n9,0,0,0\n0,0,0,9\n0,0,9,0\n", model="described"))
    assert output(job).splitlines() == [
        b"y_0,y_1,y_2,y_3,y_class",
        b"10.0,1.0,1.0,1.0,one",
        b'1.0,1.0,1.0,10.0,"fo""ur"',
        b"1.0,1.0,10.0,1.0,'=three",
    ]


PICTURES = [b'{"x": [[[1, 2, 3], [4, 5, 6]]]}', b'{"x": {"b64": "AQIDBAUG"}}']


@pytest.mark.parametrize("line", PICTURES, ids=["lists", "base64"])
def test_job__pictures__laid_out(
    described: Make, submit: Callable[..., BatchJob], run_to_end: Run, line: bytes
) -> None:
    contract = signature({"x": ("FP32", (-1, 3, 1, 2))}, {"y": ("FP32", (-1, 3, 1, 2))})
    described({"inputs": {"x": {"image": {}}}}, graphs.add_constant(1.0, ("N", 3, 1, 2)), contract)
    job = run_to_end(submit(line + b"\n", model="described", file_name="rows.jsonl"))
    assert orjson.loads(output(job)) == {"y": [[[2.0, 5.0]], [[3.0, 6.0]], [[4.0, 7.0]]]}


def test_job__wrong_pictures__each_row_with_its_reason(
    described: Make, submit: Callable[..., BatchJob], run_to_end: Run
) -> None:
    contract = signature({"x": ("FP32", (-1, 1, 1, 2))}, {"y": ("FP32", (-1, 1, 1, 2))})
    manifest = {"inputs": {"x": {"image": {"color": "GRAY"}}}}
    described(manifest, graphs.add_constant(1.0, ("N", 1, 1, 2)), contract)
    texts = ["AQI=", "AQIDBAUG", "AQID", "?", "", "AQIDBA=="]
    data = "".join(f'{{"x": {{"b64": "{text}"}}}}\n' for text in texts) + '{"x": {"b64": 1}}\n{"x": {}}\n'
    job = run_to_end(submit(data.encode(), model="described", file_name="rows.jsonl"))
    good = [orjson.loads(line) for line in output(job).splitlines()[:2]]
    assert good == [{"y": [[[2.0, 3.0]]]}, {"y": [[[3.0, 6.0]]]}]
    assert [(bad["row"], bad["code"]) for bad in results.failed_rows(job)] == [
        (3, "wrong_shape"),
        (4, "wrong_value"),
        (5, "wrong_shape"),
        (6, "wrong_shape"),
        (7, "wrong_value"),
        (8, "wrong_shape"),
    ]


def test_job__manifest_that_does_not_fit__fails_before_any_row(
    described: Make, submit: Callable[..., BatchJob], run_to_end: Run
) -> None:
    described({"inputs": {"x": {"mean": [1, 2]}}})
    job = run_to_end(submit(b"x_0,x_1,x_2,x_3\n2,4,6,8\n", model="described"))
    assert (job.status, job.error_code) == ("failed", "manifest_mismatch")
    assert "mean has 2 numbers where 4 would fit" in job.error_message


def test_job__value_too_big_once_scaled__that_row_fails(
    described: Make, submit: Callable[..., BatchJob], run_to_end: Run
) -> None:
    described({"inputs": {"x": {"scale": 1e30}}})
    job = run_to_end(submit(b"x_0,x_1,x_2,x_3\n1,1,1,1\n1,1e20,1,1\n", model="described"))
    assert (job.status, job.n_done) == ("succeeded_with_errors", 1)
    assert [(bad["row"], bad["code"]) for bad in results.failed_rows(job)] == [(2, "out_of_range")]
