from __future__ import annotations

import json
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inference.protocol import v2
from inference.protocol.classification import classify, n_classes
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import Signature, TensorSpec

P = TensorSpec("p", "FP32", (-1, 3))


def test_classify__two_rows__largest_first_and_as_short_as_reads_back() -> None:
    array = np.array([[0.1, 0.2, 0.7], [1, 0, 1e-10]], np.float32)
    assert classify(P, array, 2).tolist() == [["0.7:2", "0.2:1"], ["1.0:0", "1e-10:2"]]


def test_classify__equal_values__by_index() -> None:
    assert classify(P, np.array([[1, 1, 1]], np.float32), 3).tolist() == [["1.0:0", "1.0:1", "1.0:2"]]
    spec = TensorSpec("p", "UINT8", (-1, -1))
    assert classify(spec, np.array([[0, 255, 0, 255]], np.uint8), 4).tolist() == [["255:1", "255:3", "0:0", "0:2"]]


def test_classify__nan_and_infinities__nan_last() -> None:
    array = np.array([[np.nan, -np.inf, np.inf]], np.float32)
    assert classify(P, array, 3).tolist() == [["inf:2", "-inf:1", "nan:0"]]


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (np.int8, [-128, 127, 0], ["127:1", "0:2", "-128:0"]),
        (np.int64, [-(2**63), 2**63 - 1, 0], [f"{2**63 - 1}:1", "0:2", f"{-(2**63)}:0"]),
        (np.uint64, [0, 2**64 - 1, 5], [f"{2**64 - 1}:1", "5:2", "0:0"]),
        (np.float16, [0.1, 2.5, -1], ["2.5:1", "0.1:0", "-1.0:2"]),
        (np.float64, [0.1, 0.30000000000000004, 0.3], ["0.30000000000000004:1", "0.3:2", "0.1:0"]),
        (ml_dtypes.bfloat16, [0.5, 1, np.nan], ["1:1", "0.5:0", "nan:2"]),
    ],
)
def test_classify__datatypes__exact_order(dtype: Any, values: list[Any], expected: list[str]) -> None:
    assert classify(TensorSpec("p", "any", (-1, 3)), np.array([values], dtype), 3).tolist() == [expected]


@pytest.mark.parametrize(
    ("shape", "array", "k", "expected"),
    [
        ((-1,), [5, 7], 3, [["5:0"], ["7:0"]]),
        ((3,), [5, 7, 6], 2, [["7:1", "6:2"]]),
        ((1, 3), [[5, 7, 6]], 9, [["7:1", "6:2", "5:0"]]),
        ((-1, 2, 2), [[[1, 2], [4, 3]]], 3, [["4:2", "3:3", "2:1"]]),
        ((-1, 3), np.zeros((0, 3), np.int64), 2, []),
    ],
)
def test_classify__shapes__rows_and_at_most_all_values(
    shape: tuple[int, ...], array: Any, k: int, expected: list[list[str]]
) -> None:
    assert classify(TensorSpec("p", "INT64", shape), np.array(array), k).tolist() == expected


def test_classify__labels__behind_the_index_as_far_as_they_go() -> None:
    array = np.array([[3, 2, 1]], np.float32)
    assert classify(P, array, 3, ["a:b", "c"]).tolist() == [["3.0:0:a:b", "2.0:1:c", "1.0:2"]]


def test_n_classes__none_asked_for__zero() -> None:
    assert [n_classes(parameters, P) for parameters in ({}, {"classification": None}, {"classification": 0})] == [0] * 3


@pytest.mark.parametrize(
    "spec", [TensorSpec("p", "BYTES", (-1, 3)), TensorSpec("p", "BOOL", (-1, 3)), TensorSpec("p", "FP32", ())]
)
def test_n_classes__output_without_order__refused(spec: TensorSpec) -> None:
    with pytest.raises(InvalidInput) as caught:
        n_classes({"classification": 1}, spec)
    assert caught.value.code == "classification_not_possible"


@pytest.mark.parametrize("binary", [False, True])
def test_infer__classification_asked_for__texts_in_the_form_asked_for(binary: bool) -> None:
    tensor = {"name": "x", "datatype": "INT8", "shape": [1], "data": [1]}
    output = {"name": "p", "parameters": {"classification": 2, "binary_data": binary}}
    request = v2.decode_infer(
        json.dumps({"inputs": [tensor], "outputs": [output]}).encode(),
        Signature((TensorSpec("x", "INT8", (-1,)),), (P,)),
    )
    body, length = v2.encode_infer("m", "1", request, [P], [np.array([[0.25, 0.75, 0]], np.float32)])
    (answer,) = json.loads(body[:length])["outputs"]
    assert (answer["datatype"], answer["shape"]) == ("BYTES", [1, 2])
    if binary:
        assert answer["parameters"] == {"binary_data_size": 20}
        assert body[length:] == b"\x06\0\0\x000.75:1\x06\0\0\x000.25:0"
    else:
        assert (answer["data"], length) == (["0.75:1", "0.25:0"], None)
