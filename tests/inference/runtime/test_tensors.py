from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inference.runtime.tensors import DTYPES, PACK_CODES, check_against, quoted, shown_shape, to_array
from portal.lib.errors import InvalidInput
from registry.artifacts.signature import NUMPY_DTYPES, TensorSpec

INTEGERS = [name for name in PACK_CODES if "INT" in name]
FLOATS = ["FP16", "FP32", "FP64"]


def read(datatype: str, shape: Any, data: Any, expected: tuple[int, ...] = (-1,), bools: bool = True) -> np.ndarray:
    return to_array("x", datatype, shape, data, TensorSpec("x", datatype, expected), bools)


def refusal(datatype: str, shape: Any, data: Any, expected: tuple[int, ...] = (-1,)) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(datatype, shape, data, expected)
    assert "'x'" in caught.value.message
    return caught.value


@pytest.mark.parametrize("datatype", PACK_CODES)
def test_to_array__numbers__the_models_dtype_and_exact_values(datatype: str) -> None:
    array = read(datatype, [2, 3], [0, 1, 2, 3, 4, 127], (-1, 3))
    assert (array.dtype, array.shape) == (np.dtype(NUMPY_DTYPES[datatype]), (2, 3))
    assert array.tolist() == [[0, 1, 2], [3, 4, 127]]


def test_to_array__nested_and_flat__the_same() -> None:
    flat = read("FP32", [2, 1, 2], [1.5, 2, -3, 0.25], (-1, 1, 2))
    nested = read("FP32", [2, 1, 2], [[[1.5, 2]], [[-3, 0.25]]], (-1, 1, 2))
    assert flat.tolist() == nested.tolist() == [[[1.5, 2.0]], [[-3.0, 0.25]]]


@pytest.mark.parametrize("datatype", INTEGERS)
def test_to_array__integer_limits__kept_exactly_and_one_beyond_refused(datatype: str) -> None:
    limits = np.iinfo(DTYPES[datatype])
    assert read(datatype, [2], [int(limits.min), int(limits.max)]).tolist() == [limits.min, limits.max]
    for beyond in (int(limits.min) - 1, int(limits.max) + 1):
        assert refusal(datatype, [2], [0, beyond]).details == {"position": 1}


@pytest.mark.parametrize(
    ("datatype", "largest", "beyond"),
    [
        ("FP16", 65504.0, 65520.0),
        ("FP32", 3.4028234663852886e38, 3.4028236e38),
        ("FP64", 1.7976931348623157e308, 10**309),
    ],
)
def test_to_array__float_limits__never_become_infinity(datatype: str, largest: float, beyond: float) -> None:
    assert read(datatype, [2], [largest, -largest]).tolist() == [largest, -largest]
    assert refusal(datatype, [1], [beyond]).code == "wrong_value"
    assert refusal(datatype, [1], [-beyond]).code == "wrong_value"


@pytest.mark.parametrize("datatype", PACK_CODES)
@pytest.mark.parametrize("bad", [True, False, None, "1", "", "1.5", "nan", [], [1], {}, {"a": 1}])
def test_to_array__not_a_number__refused_with_its_position(datatype: str, bad: Any) -> None:
    error = refusal(datatype, [3], [1, bad, 2])
    assert (error.code, error.details) == ("wrong_value", {"position": 1})


@pytest.mark.parametrize("datatype", INTEGERS)
@pytest.mark.parametrize("bad", [1.0, 0.5, -0.0, 1e300])
def test_to_array__float_into_integer__refused(datatype: str, bad: float) -> None:
    assert refusal(datatype, [1], [bad]).code == "wrong_value"


@pytest.mark.parametrize("bad", [0, 1, 1.0, None, "true", []])
def test_to_array__bool_tensor__takes_only_booleans(bad: Any) -> None:
    assert read("BOOL", [2], [True, False]).tolist() == [True, False]
    assert refusal("BOOL", [2], [True, bad]).details == {"position": 1}


@pytest.mark.parametrize("bad", [0, 1.5, True, None, ["a"], {"a": "b"}])
def test_to_array__bytes_tensor__takes_only_text(bad: Any) -> None:
    array = read("BYTES", [3], ["", "é\0", "x" * 1000])
    assert (array.dtype, array.tolist()) == (np.dtype(object), ["", "é\0", "x" * 1000])
    assert refusal("BYTES", [2], ["a", bad]).code == "wrong_value"


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([2, 2], [1, 2, 3]),
        ([2, 2], [1, 2, 3, 4, 5]),
        ([2, 2], []),
        ([2, 2], [[1, 2], [3]]),
        ([2, 2], [[1, 2], [3, 4], [5, 6]]),
        ([2, 2], [[1, 2, 3], [4]]),
        ([2, 2], [[1, 2], 3, 4]),
        ([2, 2], [[1, 2], None]),
        ([2, 2], [[1, 2], "ab"]),
        ([2, 2], [[1, 2], {"a": 1, "b": 2}]),
        ([2, 2], [[]]),
        ([0, 2], [[]]),
        ([2, 2], 5),
        ([2, 2], None),
        ([2, 2], "abcd"),
        ([2, 2], {"0": 1}),
    ],
)
def test_to_array__values_do_not_fill_the_shape__refused(shape: list[int], data: Any) -> None:
    assert refusal("FP32", shape, data, (-1, -1)).code == "wrong_shape"
    assert refusal("BYTES", shape, data, (-1, -1)).code == "wrong_shape"


def test_to_array__nested_deeper_than_the_shape__refused() -> None:
    assert refusal("FP32", [2, 1], [[[1]], [[2]]], (-1, 1)).code == "wrong_value"
    assert refusal("FP32", [], [[1]], ()).code == "wrong_value"
    data: Any = 1.0
    for _ in range(900):
        data = [data]
    assert refusal("FP32", [1, 1], data, (-1, 1)).code == "wrong_value"


def test_to_array__text_rows_of_the_right_length__are_not_rows() -> None:
    assert refusal("BYTES", [2, 2], [["a", "b"], "cd"], (-1, 2)).code == "wrong_shape"


def test_to_array__no_dimensions__one_value() -> None:
    assert read("FP32", [], [2.5], ()).tolist() == 2.5
    assert refusal("FP32", [], [], ()).code == "wrong_shape"


@pytest.mark.parametrize(("shape", "data"), [([0, 4], []), ([2, 0], [[], []]), ([2, 0], [])])
def test_to_array__no_rows__an_empty_tensor(shape: list[int], data: Any) -> None:
    for datatype in NUMPY_DTYPES:
        assert read(datatype, shape, data, (-1, -1)).shape == tuple(shape)


@pytest.mark.parametrize("shape", [[0, 2**62], [0, 2**63], [0, 2**64 - 1], [2**62, 0], [0, 2**31]])
def test_to_array__empty_but_too_big_to_count__refused(shape: list[int]) -> None:
    for datatype in ("FP32", "BYTES", "BOOL"):
        assert refusal(datatype, shape, [], (-1, -1)).code == "wrong_shape"


def test_to_array__empty_but_its_sizes_multiply_too_far__refused() -> None:
    assert refusal("BOOL", [0, 2**16, 2**16], [], (-1, -1, -1)).code == "wrong_shape"
    assert read("BOOL", [0, 2**15, 2**15], [], (-1, -1, -1)).shape == (0, 2**15, 2**15)


def test_to_array__shape_of_astronomic_size__refused_without_allocating() -> None:
    assert refusal("FP32", [2**62, 2**62], [1.0], (-1, -1)).code == "wrong_shape"


@pytest.mark.parametrize("datatype", ["FP64", "fp32", "", None, 5, ["FP32"], {"a": 1}, "X" * 10_000, True])
def test_to_array__another_datatype__refused(datatype: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        to_array("x", datatype, [1], [1.0], TensorSpec("x", "FP32", (-1,)))
    assert caught.value.code == "wrong_datatype"
    assert len(caught.value.message) < 200


def test_to_array__bf16__not_in_json() -> None:
    for shape, data in (([1], [1.0]), ([0], [])):
        assert refusal("BF16", shape, data).code == "wrong_datatype"


def test_to_array__any__is_read_only() -> None:
    for datatype, data in (("FP32", [1.0]), ("BOOL", [True]), ("BYTES", ["a"])):
        assert not read(datatype, [1], data).flags.writeable


def test_to_array__caller_knows_of_no_booleans__same_array() -> None:
    assert read("INT64", [2], [1, 2], bools=False).tolist() == [1, 2]


def test_to_array__wrong_value__says_what_it_is() -> None:
    for bad, words in [
        (None, "null"),
        (True, "true"),
        ("a", "text"),
        ([1], "a list"),
        ({}, "an object"),
        (300, "the number 300"),
        (1.5, "the number 1.5"),
    ]:
        message = refusal("INT8", [2], [0, bad]).message
        assert message == f"Input 'x': value 1 is {words}, which INT8 cannot hold."


@pytest.mark.parametrize(
    "shape",
    [
        *(None, 4, "14", {}, [], [4], [1, 1, 4], [1, 5], [-1, 4], [-4, 4]),
        *([True, 4], [1.0, 4], ["1", 4], [None, 4], [[1], 4], [1, 4.0], [1] * 33, [1] * 100_000),
    ],
)
def test_check_against__not_the_models_shape__refused_with_the_one_it_takes(shape: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_against(TensorSpec("x", "FP32", (-1, 4)), shape)
    assert caught.value.code == "wrong_shape"
    assert caught.value.details == {"input": "x", "expected": [-1, 4]}
    assert caught.value.message.startswith("Input 'x': the shape must be [any, 4], not ")
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("shape", [[1, 4], [0, 4], [10**6, 4], (7, 4)])
def test_check_against__free_dimension__any_size(shape: Any) -> None:
    check_against(TensorSpec("x", "FP32", (-1, 4)), shape)


def test_quoted__long_or_hostile_name__short_and_printable() -> None:
    assert quoted("a\nb\x1b") == r"'a\nb\x1b'"
    assert len(quoted("x" * 10_000)) == 82
    assert shown_shape(()) == "[]"


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from([name for name in NUMPY_DTYPES if name != "BYTES"]).flatmap(
        lambda datatype: st.tuples(
            st.just(datatype),
            hnp.arrays(
                DTYPES[datatype],
                hnp.array_shapes(min_dims=1, max_dims=4, max_side=4),
                elements={"allow_nan": False, "allow_infinity": False} if datatype.startswith("FP") else None,
            ),
        )
    )
)
def test_to_array__any_array_as_lists__comes_back_exactly(case: tuple[str, np.ndarray]) -> None:
    datatype, array = case
    free = (-1,) * array.ndim
    for data in (array.tolist(), array.ravel().tolist()):
        again = read(datatype, list(array.shape), data, free)
        assert again.dtype == array.dtype
        assert np.array_equal(again, array)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(list(NUMPY_DTYPES)),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=12,
    ),
    st.lists(st.integers(-1, 4) | st.booleans() | st.integers(0, 2**64), max_size=4),
)
def test_to_array__anything__an_array_that_fits_or_invalid_input(datatype: str, data: Any, shape: Any) -> None:
    try:
        array = read(datatype, shape, data, (-1,) * len(shape))
    except InvalidInput as error:
        assert error.code in {"wrong_shape", "wrong_value"}
    else:
        assert array.shape == tuple(shape)
        assert array.dtype == DTYPES[datatype]
