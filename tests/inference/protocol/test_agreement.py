"""When two answers to one request agree."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from inference.protocol.agreement import Agreement, compare, has_bad_numbers, prediction_of

NAN, INF = float("nan"), float("inf")


def floats(*rows: Any, dtype: Any = np.float32) -> np.ndarray:
    return np.array(rows, dtype)


def texts(*values: str) -> np.ndarray:
    return np.array(values, object)


@pytest.mark.parametrize(
    ("stable", "other", "agrees"),
    [
        ([10.0, 20.0], [10.0, 20.0], True),
        ([10.01], [10.0], True),  # 0.01 is one thousandth of 10, and atol comes on top
        ([10.02], [10.0], False),
        ([0.0], [0.9e-5], True),
        ([0.0], [2e-5], False),
        ([NAN, 1.0], [NAN, 1.0], True),
        ([NAN], [1.0], False),
        ([1.0], [NAN], False),
        ([INF, -INF], [INF, -INF], True),
        ([INF], [-INF], False),
        ([1.0], [INF], False),
    ],
)
def test_compare__numbers__within_the_tolerance_of_the_other(
    stable: list[float], other: list[float], agrees: bool
) -> None:
    found = compare({"y": np.array(stable)}, {"y": np.array(other)})
    assert (found.agrees, found.kind, found.n_flips) == (agrees, "" if agrees else "numeric", 0)


def test_compare__numbers__largest_finite_difference_of_all_outputs() -> None:
    stable = {"a": floats([1.0, 2.0]), "b": floats([NAN, 4.0])}
    assert compare(stable, {"a": floats([1.0, 2.5]), "b": floats([1.0, 7.0])}) == Agreement(False, "numeric", 3.0, 0)
    assert compare({"b": floats([NAN])}, {"b": floats([1.0])}) == Agreement(False, "numeric", None, 0)


def test_compare__tolerances__as_asked() -> None:
    one, two = {"y": floats([1.0])}, {"y": floats([1.5])}
    assert not compare(one, two).agrees
    assert compare(one, two, atol=0.6).agrees
    assert compare(one, two, rtol=0.4).agrees


def test_compare__probabilities__only_the_class_counts() -> None:
    stable = {"p": floats([0.7, 0.2, 0.1], [0.1, 0.8, 0.1])}
    same = compare(stable, {"p": floats([0.4, 0.3, 0.3], [0.0, 1.0, 0.0])})
    assert (same.agrees, same.kind, same.n_flips) == (True, "", 0)
    assert same.max_abs == pytest.approx(0.3)
    other = compare(stable, {"p": floats([0.4, 0.3, 0.3], [0.5, 0.4, 0.1])})
    assert (other.agrees, other.kind, other.n_flips) == (False, "top1", 1)


def test_compare__rows_that_do_not_sum_to_one__are_numbers() -> None:
    assert compare({"p": floats([0.7, 0.2])}, {"p": floats([0.6, 0.4])}).kind == "numeric"
    assert compare({"p": floats([1.7, -0.7])}, {"p": floats([0.6, 0.4])}).kind == "numeric"
    # A score for each of two rows, by chance.
    assert compare({"y": floats(0.4, 0.6)}, {"y": floats(0.3, 0.7)}).kind == "numeric"


@pytest.mark.parametrize(
    ("stable", "other", "n_flips"),
    [
        (np.array([1, 2, 3]), np.array([1, 2, 3]), 0),
        (np.array([1, 2, 3]), np.array([1, 0, 0]), 2),
        (np.array([[1, 2], [3, 4]]), np.array([[1, 2], [0, 0]]), 1),
        (np.array(7), np.array(8), 1),
        (texts("cat", "dog"), texts("cat", "dog"), 0),
        (texts("cat", "dog"), texts("cat", "cow"), 1),
        (np.array([True]), np.array([False]), 1),
        (np.zeros((0, 2), np.int64), np.zeros((0, 2), np.int64), 0),
    ],
)
def test_compare__labels__counts_rows_with_another(stable: np.ndarray, other: np.ndarray, n_flips: int) -> None:
    kind = "top1" if n_flips else ""
    assert compare({"label": stable}, {"label": other}) == Agreement(not n_flips, kind, None, n_flips)


def test_compare__label_and_scores__another_class_weighs_more() -> None:
    stable = {"label": np.array([1]), "score": floats([1.0])}
    assert compare(stable, {"label": np.array([2]), "score": floats([3.0])}) == Agreement(False, "top1", 2.0, 1)


@pytest.mark.parametrize(
    "other",
    [{}, {"z": floats([1.0])}, {"y": floats([1.0, 2.0])}, {"y": floats([1.0], dtype=np.float64)}],
    ids=["nothing", "another name", "another shape", "another type"],
)
def test_compare__output_missing_or_unlike__missing(other: dict[str, np.ndarray]) -> None:
    assert compare({"y": floats([1.0])}, other) == Agreement(False, "missing", None, 0)


def test_compare__further_output_of_the_other__no_matter() -> None:
    assert compare({"y": floats([1.0])}, {"y": floats([1.0]), "z": floats([2.0])}) == Agreement(True, "", 0.0, 0)


def test_compare__half_and_brain_floats__as_numbers() -> None:
    for dtype in (np.float16, ml_dtypes.bfloat16):
        one, two = {"y": floats([1.0], dtype=dtype)}, {"y": floats([2.0], dtype=dtype)}
        assert compare(one, one) == Agreement(True, "", 0.0, 0)
        assert compare(one, two) == Agreement(False, "numeric", 1.0, 0)


def test_compare__no_rows__agree() -> None:
    assert compare({"y": np.zeros((0, 3), np.float32)}, {"y": np.zeros((0, 3), np.float32)}) == Agreement(True)


def test_has_bad_numbers__any_output() -> None:
    assert not has_bad_numbers([floats([1.0]), texts("nan"), np.array([1])])
    assert has_bad_numbers([floats([1.0]), floats([NAN])])
    assert has_bad_numbers([floats([INF], dtype=ml_dtypes.bfloat16)])


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ({"p": floats([0.1, 0.9]), "label": np.array([7, 8])}, 7),
        ({"p": floats([0.1, 0.9]), "label": texts("spam", "ham")}, "spam"),
        ({"label": np.array([True])}, True),
        ({"x": floats([3.0, 4.0]), "p": floats([0.1, 0.7, 0.2], [1.0, 0.0, 0.0])}, 1),
        ({"y": floats([0.25], [4.0])}, 0.25),
        ({"y": floats([1.5], dtype=ml_dtypes.bfloat16)}, 1.5),
        ({"y": floats([NAN])}, None),
        ({"y": np.zeros((0, 2))}, None),
        ({}, None),
    ],
)
def test_prediction_of__first_row__label_class_or_number(outputs: dict[str, np.ndarray], expected: Any) -> None:
    found = prediction_of(outputs)
    assert found == expected
    assert type(found) is type(expected)
