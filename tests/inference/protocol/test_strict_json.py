from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.protocol.strict_json import check_no_duplicates, count_keys, may_hold_bools, parse_object
from portal.lib.errors import InvalidInput

DOCUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet='ab:"\\/\n{é', max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a:"\\', max_size=3), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    min_size=1,
    max_size=4,
)


def keys_in(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(keys_in, value.values()))
    return sum(map(keys_in, value)) if isinstance(value, list) else 0


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 2]))
def test_check_no_duplicates__any_document__accepted_and_its_double_refused(
    document: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    assert count_keys(document, level=1) == keys_in(document)
    check_no_duplicates(text.encode(), count_keys(document, level=1))
    key, value = next(iter(document.items()))
    doubled = f"{text[:-1]},{json.dumps(key)}:{json.dumps(value)}}}"
    with pytest.raises(InvalidInput) as caught:
        check_no_duplicates(doubled.encode(), count_keys(json.loads(doubled), level=1))
    assert caught.value.code == "duplicate_key"


def test_count_keys__depth__exactly_64_levels() -> None:
    assert count_keys(json.loads("[" * 63 + "]" * 63)) == 0
    with pytest.raises(InvalidInput) as caught:
        count_keys(json.loads("[" * 64 + "]" * 64))
    assert caught.value.code == "too_deep"


@pytest.mark.parametrize(
    ("body", "expected"),
    [(b'{"datatype":"FP32"}', False), (b'{"x":true}', True), (b"[false]", True), (b'{"float_input":"url"}', False)],
)
def test_may_hold_bools__words_in_the_body__found(body: bytes, expected: bool) -> None:
    assert may_hold_bools(body) is expected


def test_parse_object__broken__says_where() -> None:
    with pytest.raises(InvalidInput, match=r"^The body is not valid JSON: .* \(line 2, column 5\)\.$"):
        parse_object(b'{"a":1,\n"b" 2}')
