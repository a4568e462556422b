"""Recorded answers against given ones: what passes, and where the furthest element is."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inference.golden.comparing import Finding, compare, read_expected, tensors_of
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import TensorSpec

BF16 = np.dtype(ml_dtypes.bfloat16)


def _expected(datatype: str, data: list[Any], shape: list[int] | None = None, name: str = "y") -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def _found(expected: list[dict[str, Any]], rtol: float = 1e-3, atol: float = 1e-5, **got: np.ndarray) -> Finding:
    return compare(read_expected(expected), got, rtol=rtol, atol=atol)


def test_compare__within_the_tolerance__passes() -> None:
    found = _found([_expected("FP32", [1.0, -100.0, 0.0])], y=np.array([1.0009, -100.09, 0.000009], np.float32))
    assert found == Finding(n_elements=3)


def test_compare__outside__names_the_furthest_by_its_allowance_and_counts_all() -> None:
    got = np.array([[1.0, 2.1], [1010.0, 4.0]], np.float32)
    found = _found([_expected("FP32", [1, 2, 1000, 4], [2, 2])], y=got)
    assert found == Finding("value", "y", [0, 1], float(np.float32(2.1)), 2.0, n_wrong=2, n_elements=4)


def test_compare__no_tolerance__bits_of_the_datatype_decide() -> None:
    same = [_expected("FP32", [0.1])]
    assert not _found(same, 0, 0, y=np.array([0.1], np.float32)).code
    next_one = np.nextafter(np.float32(0.1), np.float32(1))
    assert _found(same, 0, 0, y=np.array([next_one])).n_wrong == 1


def test_compare__several_outputs__the_worst_of_all_and_further_ones_no_matter() -> None:
    expected = [_expected("FP32", [1.0], name="a"), _expected("FP64", [1.0, 1.0], name="b")]
    found = _found(expected, a=np.array([1.01], np.float32), b=np.array([1.0, 3.0]), c=np.array([9]))
    assert (found.output, found.index, found.got, found.n_wrong, found.n_elements) == ("b", [1], 3.0, 2, 3)


@pytest.mark.parametrize(
    ("expected", "got", "wrong"),
    [
        (None, math.nan, False),
        (None, math.inf, False),
        (None, -math.inf, False),
        (None, 1.0, True),
        (1.0, math.nan, True),
        (1.0, math.inf, True),
        (0.0, -0.0, False),
    ],
)
def test_compare__nan_and_infinities__null_stands_for_them(expected: Any, got: float, wrong: bool) -> None:
    found = _found([_expected("FP64", [expected])], y=np.array([got]))
    assert bool(found.code) is wrong


def test_compare__nan_for_a_number__is_shown_as_text() -> None:
    found = _found([_expected("FP32", [1.0, 2.0])], y=np.array([1.0, math.nan], np.float32))
    assert (found.index, found.got, found.expected) == ([1], "nan", 2.0)


@pytest.mark.parametrize(
    ("datatype", "expected", "got"),
    [
        ("INT64", [2**53 + 1], np.array([2**53], np.int64)),
        ("UINT8", [255], np.array([254], np.uint8)),
        ("BOOL", [True], np.array([False])),
        ("BYTES", ["cat"], np.array(["dog"], object)),
    ],
)
def test_compare__whole_numbers_and_texts__have_to_be_equal(datatype: str, expected: list[Any], got: Any) -> None:
    found = _found([_expected(datatype, expected)], rtol=1, atol=1e9, y=got)
    assert (found.code, found.got, found.expected) == ("value", got[0], expected[0])
    wanted = read_expected([_expected(datatype, expected)])["y"].array
    assert not _found([_expected(datatype, expected)], y=wanted).code


def test_compare__bytes_for_text__same() -> None:
    assert not _found([_expected("BYTES", ["ä"])], y=np.array(["ä".encode()], object)).code


@pytest.mark.parametrize(
    ("got", "finding"),
    [
        (None, Finding("missing", "y")),
        (np.array([1.0]), Finding("datatype", "y", got="FP64", expected="FP32")),
        (np.array([[1.0]], np.float32), Finding("shape", "y", got=[1, 1], expected=[1])),
    ],
)
def test_compare__another_kind_of_answer__says_which(got: Any, finding: Finding) -> None:
    assert _found([_expected("FP32", [1.0])], **({} if got is None else {"y": got})) == finding


def test_compare__nothing_in_it__passes() -> None:
    assert _found([_expected("FP32", [], [0, 3])], y=np.empty((0, 3), np.float32)) == Finding()


@pytest.mark.parametrize(
    ("datatype", "array"),
    [
        ("FP32", np.array([[0.1, math.nan], [math.inf, -3e38]], np.float32)),
        ("FP16", np.array([0.1, 65504], np.float16)),
        ("FP64", np.array([0.1, 1e-320])),
        ("BF16", np.array([0.1, 3e38], BF16)),
        ("INT64", np.array([-(2**63), 2**63 - 1])),
        ("UINT64", np.array([2**64 - 1], np.uint64)),
        ("BOOL", np.array([True, False])),
        ("BYTES", np.array(["a", "ß"], object)),
        ("FP32", np.float32(2.5)),
    ],
)
def test_tensors_of__read_again__the_same_bits(datatype: str, array: np.ndarray) -> None:
    array = np.asarray(array)
    kept = tensors_of([TensorSpec("y", datatype, array.shape)], [array])
    assert compare(read_expected(kept), {"y": array}, rtol=0, atol=0) == Finding(n_elements=array.size)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "at least one"),
        ({}, "at least one"),
        (["y"], "object with name"),
        ([{"name": ""}], "object with name"),
        ([_expected("FP32", [1]), _expected("FP32", [1])], "twice"),
        ([_expected("FLOAT", [1])], "datatype"),
        ([_expected(["FP32"], [1])], "datatype"),  # type: ignore[arg-type]
        ([{**_expected("FP32", [1]), "shape": [-1]}], "list of sizes"),
        ([{**_expected("FP32", [1]), "shape": [True]}], "list of sizes"),
        ([{**_expected("FP32", [1]), "shape": [1] * 33}], "list of sizes"),
        ([{**_expected("FP32", [1]), "shape": [2]}], "flat list of 2 values"),
        ([_expected("FP32", [[1.0]])], "none of FP32"),
        ([_expected("FP32", [True])], "none of FP32"),
        ([_expected("INT8", [1.0])], "none of INT8"),
        ([_expected("INT8", [None])], "none of INT8"),
        ([_expected("INT8", [200])], "range of INT8"),
        ([_expected("FP64", [10**400])], "range of FP64"),
        ([_expected("FP16", [1e6])], "range of FP16"),
        ([_expected("FP32", [1.0, -1e39])], "range of FP32"),
        ([{**_expected("FP32", []), "shape": [0, 2**31 - 1, 2**31 - 1]}], "too big"),
        ([{**_expected("BYTES", []), "shape": [2**31 - 1, 2**31 - 1, 0]}], "too big"),
        ([_expected("BOOL", [1])], "none of BOOL"),
        ([_expected("BYTES", [1])], "none of BYTES"),
    ],
)
def test_read_expected__wrong__names_it(items: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        read_expected(items)
    assert (refused.value.code, refused.value.details) == ("invalid_expected", {"field": "expected"})
