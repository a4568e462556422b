from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.lib.errors import InvalidInput
from registry.artifacts.manifest import MAX_BYTES, check_manifest, with_report_labels

FULL: dict[str, Any] = {
    "labels": {"label": ["setosa", "versicolor"]},
    "inputs": {
        "X": {"features": ["length", "width"], "scale": 0.5, "mean": [1.0, 2.0], "std": [3.0, 4.0]},
        "picture": {"image": {"layout": "NHWC", "color": "BGR", "width": 8, "height": 4}},
    },
    "example": {"X": [5.9, 3, True, "a"]},
}


def test_check_manifest__all_parts__kept_as_they_are() -> None:
    assert check_manifest(FULL) == FULL


def test_check_manifest__empty_parts__left_out() -> None:
    assert check_manifest({}) == {}
    assert check_manifest({"labels": {}, "inputs": {}, "example": {}}) == {}


def test_check_manifest__image_without_words__usual_layout() -> None:
    image = check_manifest({"inputs": {"X": {"image": {}}}})["inputs"]["X"]["image"]
    assert image == {"layout": "NCHW", "color": "RGB"}


@pytest.mark.parametrize(
    ("value", "at", "says"),
    [
        ([], "manifest", "has to be a JSON object"),
        ("{}", "manifest", "has to be a JSON object"),
        ({"lables": {}}, "manifest", "has the key “lables”; it may have labels, inputs, example"),
        ({"labels": ["a"]}, "labels", "has to be a JSON object"),
        ({"labels": {"y": []}}, "labels.y", "a list of 1 to 20000 values"),
        ({"labels": {"y": [1]}}, "labels.y", "texts of 1 to 200 characters"),
        ({"labels": {"y": [""]}}, "labels.y", "texts of 1 to 200 characters"),
        ({"labels": {"y": ["a\x00"]}}, "labels.y", "a control character"),
        ({"labels": {"y": ["\ud800"]}}, "labels.y", "half of a pair"),
        ({"labels": {"": ["a"]}}, "labels", "texts of 1 to 1000 characters"),
        ({"inputs": {"X": {"sclae": 1}}}, "inputs.X", "has the key “sclae”"),
        ({"inputs": {"X": {"scale": "1"}}}, "inputs.X.scale", "has to be a number"),
        ({"inputs": {"X": {"scale": True}}}, "inputs.X.scale", "has to be a number"),
        ({"inputs": {"X": {"scale": float("nan")}}}, "inputs.X.scale", "has to be a number"),
        ({"inputs": {"X": {"mean": 10**400}}}, "inputs.X.mean", "has to be a number"),
        ({"inputs": {"X": {"std": 0}}}, "inputs.X.std", "more than 0"),
        ({"inputs": {"X": {"std": [1, -1]}}}, "inputs.X.std", "more than 0"),
        ({"inputs": {"X": {"features": ["a", "a"]}}}, "inputs.X.features", "a name twice"),
        ({"inputs": {"X": {"image": {"layout": "CHW"}}}}, "inputs.X.image.layout", "one of NCHW, NHWC"),
        ({"inputs": {"X": {"image": {"color": ["RGB"]}}}}, "inputs.X.image.color", "one of RGB, BGR, GRAY"),
        ({"inputs": {"X": {"image": {"width": 0}}}}, "inputs.X.image.width", "from 1 to 8192"),
        ({"inputs": {"X": {"image": {"height": 2.0}}}}, "inputs.X.image.height", "from 1 to 8192"),
        ({"example": {"X": [[1]]}}, "example.X", "a flat list"),
        ({"example": {"X": [None]}}, "example.X", "a flat list"),
        ({"inputs": {str(n): {} for n in range(65)}}, "inputs", "more than 64 tensors"),
        ({"example": {"X": ["a" * 4000] * 300}}, "manifest", f"larger than {MAX_BYTES >> 10} KiB"),
    ],
)
def test_check_manifest__wrong__says_where_and_what(value: Any, at: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_manifest(value)
    assert (caught.value.code, caught.value.details["at"], caught.value.status) == ("invalid_manifest", at, 400)
    assert says in caught.value.message


def test_check_manifest__hostile_name__sentence_is_printable_and_short() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_manifest({"\u202eevil\n" + "x" * 1000: 1})
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 250


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["labels", "inputs", "example", "image", "scale", "X"]) | st.text(), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_check_manifest__any_json__refused_or_storable(value: Any) -> None:
    try:
        checked = check_manifest(value)
    except InvalidInput:
        return
    text = json.dumps(checked, allow_nan=False)
    assert "\\u0000" not in text
    assert check_manifest(json.loads(text)) == checked


def test_with_report_labels__found_and_given__given_come_first() -> None:
    facts = {"labels": {"p": ["0", "1"], "q": ["a", "b"]}}
    assert with_report_labels({}, facts) == {"labels": {"p": ["0", "1"], "q": ["a", "b"]}}
    given = {"labels": {"p": ["no", "yes"]}, "example": {"X": [1]}}
    assert with_report_labels(given, facts) == {
        "labels": {"p": ["no", "yes"], "q": ["a", "b"]},
        "example": {"X": [1]},
    }
    assert with_report_labels(given, {}) is given
